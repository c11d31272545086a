"""XML from strangers: no document types, no entities, bounded size, depth and count."""

from typing import Final
from xml.etree import ElementTree as ET

from tapelog_interchange.errors import RefusedError
from tapelog_interchange.limits import XML_BYTES_MAX, XML_DEPTH_MAX, XML_ELEMENTS_MAX

_REMEDY: Final = "export the file again from the program that made it"


class _Bounded(ET.TreeBuilder):
    """Builds the tree and stops at the first thing that a plain document does not need."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._depth = 0
        self._elements = 0

    def doctype(self, name: str, _pubid: str | None, _system: str | None) -> None:
        problem = f"{self._name} declares a document type ({name[:40]!r}), through which entities could be smuggled"
        raise RefusedError("XML_REFUSED", problem, _REMEDY)

    def start(self, tag: str, attrs: dict[str, str]) -> ET.Element:
        self._depth += 1
        self._elements += 1
        if self._depth > XML_DEPTH_MAX:
            raise RefusedError("XML_REFUSED", f"{self._name} nests deeper than {XML_DEPTH_MAX} levels", _REMEDY)
        if self._elements > XML_ELEMENTS_MAX:
            raise RefusedError("XML_REFUSED", f"{self._name} has more than {XML_ELEMENTS_MAX} elements", _REMEDY)
        return super().start(tag, attrs)

    def end(self, tag: str) -> ET.Element:
        self._depth -= 1
        return super().end(tag)


def parse_xml(text: bytes, name: str) -> ET.Element:
    """Return the root of an XML document.

    Raises
    ------
    RefusedError
        ``XML_REFUSED``: it is too large, too deep, has a document type, or is not well-formed.
    """
    if len(text) > XML_BYTES_MAX:
        problem = f"{name} has {len(text)} bytes, at most {XML_BYTES_MAX} are read"
        raise RefusedError("XML_REFUSED", problem, _REMEDY)
    parser = ET.XMLParser(target=_Bounded(name))  # noqa: S314 - the target refuses document types
    try:
        parser.feed(text)
        root = parser.close()
    except (ET.ParseError, ValueError, LookupError) as error:
        raise RefusedError("XML_REFUSED", f"{name} is not well-formed XML: {error}", _REMEDY) from error
    if not isinstance(root, ET.Element):
        raise RefusedError("XML_REFUSED", f"{name} has no root element", _REMEDY)
    return root
