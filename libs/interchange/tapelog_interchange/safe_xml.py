"""XML from strangers: no document types, no entities, bounded size, depth, count, and length of each piece."""

from collections.abc import Iterable
from typing import Final
from xml.etree import ElementTree as ET
from xml.parsers import expat

from tapelog_interchange.errors import RefusedError
from tapelog_interchange.limits import (
    XML_ATTRIBUTES_MAX,
    XML_BYTES_MAX,
    XML_DEPTH_MAX,
    XML_ELEMENTS_MAX,
    XML_PIECE_BYTES_MAX,
)

_REMEDY: Final = "export the file again from the program that made it"
_BLOCK_BYTES: Final = 256 * 1024


def _refused(problem: str) -> RefusedError:
    return RefusedError("XML_REFUSED", problem, _REMEDY)


class _Reader:
    """Feeds a parser and builds the tree; stops at the first thing that a plain document does not need."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tree = ET.TreeBuilder()
        self._depth = 0
        self._elements = 0
        self._fed_bytes = 0
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._tree.data

    def feed(self, block: bytes) -> None:
        self._fed_bytes += len(block)
        if self._fed_bytes > XML_BYTES_MAX:
            raise _refused(f"{self._name} has more than {XML_BYTES_MAX} bytes")
        self._parser.Parse(block, False)  # noqa: FBT003 - expat takes it by place
        if self._fed_bytes - max(self._parser.CurrentByteIndex, 0) > XML_PIECE_BYTES_MAX + len(block):
            raise _refused(f"{self._name} has a tag or comment of more than {XML_PIECE_BYTES_MAX} bytes")

    def close(self) -> ET.Element:
        self._parser.Parse(b"", True)  # noqa: FBT003 - the same
        return self._tree.close()

    def _doctype(self, name: str, _system: str | None, _public: str | None, _has_subset: int) -> None:
        raise _refused(
            f"{self._name} declares a document type ({name[:40]!r}), through which entities could be smuggled"
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > XML_DEPTH_MAX:
            raise _refused(f"{self._name} nests deeper than {XML_DEPTH_MAX} levels")
        if self._elements > XML_ELEMENTS_MAX:
            raise _refused(f"{self._name} has more than {XML_ELEMENTS_MAX} elements")
        if len(attributes) > XML_ATTRIBUTES_MAX:
            raise _refused(f"{self._name} has an element of more than {XML_ATTRIBUTES_MAX} attributes")
        self._tree.start(tag, attributes)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        self._tree.end(tag)


def parse_xml(text: bytes | Iterable[bytes], name: str) -> ET.Element:
    """Return the root of an XML document; read in blocks, it is never held as a whole.

    Raises
    ------
    RefusedError
        ``XML_REFUSED``: it is too large, too deep, has too many or too long parts, a document type, or is not
        well-formed.
    """
    reader = _Reader(name)
    blocks = (
        (text[begin : begin + _BLOCK_BYTES] for begin in range(0, len(text), _BLOCK_BYTES))
        if isinstance(text, bytes)
        else text
    )
    try:
        for block in blocks:
            reader.feed(block)
        return reader.close()
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        # AssertionError is how the tree says that it has no root.
        raise _refused(f"{name} is not well-formed XML: {error}") from error
