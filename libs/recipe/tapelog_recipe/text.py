"""YAML and JSON text to plain values, refusing whatever could be read in two ways or grow without bound."""

import json
import math
import re
from collections.abc import Callable, Hashable
from typing import Any, Final, Literal

import yaml

from tapelog_recipe.errors import RecipeError, Violation
from tapelog_recipe.limits import NESTING_MAX, NODES_MAX, TEXT_MAX_BYTES

Format = Literal["yaml", "json"]
"""Notation of a recipe; JSON is read as JSON, not as YAML."""

_DIGITS_MAX: Final = 40
"""Characters of a number; the longest exact float64 needs 24."""

_BASE_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BASE_DUMPER: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def _refuse(message: str) -> RecipeError:
    return RecipeError((Violation("", message),))


class _CoreLoader(_BASE_LOADER):  # type: ignore[misc, valid-type]  # the C loader where PyYAML has it
    """Safe loader with the scalars of YAML 1.2's core schema: ``no`` is a word, ``012`` is twelve, ``1:30`` is text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML reads it here

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return a mapping, refusing a key written twice."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            where = f"line {key_node.start_mark.line + 1}"
            if not isinstance(key, str):
                raise _refuse(f"{where}: field names are words, got {key!r}")
            if key in seen:
                raise _refuse(f"{where}: {key!r} is written twice; keep one")
            seen.add(key)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


def _number(kind: Callable[[str], int | float]) -> Callable[[_CoreLoader, yaml.ScalarNode], int | float]:
    def construct(loader: _CoreLoader, node: yaml.ScalarNode) -> int | float:
        text = str(loader.construct_scalar(node))
        if len(text) > _DIGITS_MAX:
            raise _refuse(f"line {node.start_mark.line + 1}: a number of {len(text)} characters; at most {_DIGITS_MAX}")
        return kind(text)

    return construct


def _core_float(text: str) -> float:
    """Read a float of the core schema; ``.inf`` and ``.nan`` come through and are refused by their field's range."""
    lowered = text.lower()
    return float(lowered.replace(".", "") if "n" in lowered else lowered)


class _CoreDumper(_BASE_DUMPER):  # type: ignore[misc, valid-type]  # the C dumper where PyYAML has it
    """Safe dumper that quotes exactly the words that `_CoreLoader` would not read as words."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML reads it here


_CORE_SCALARS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ("~", "n", "N", "")),
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", tuple("tTfF")),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9]+$", tuple("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        tuple("-+.0123456789"),
    ),
)
for _tag, _pattern, _first in _CORE_SCALARS:
    _CoreLoader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))
    _CoreDumper.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))
_CoreLoader.add_constructor("tag:yaml.org,2002:int", _number(int))
_CoreLoader.add_constructor("tag:yaml.org,2002:float", _number(_core_float))


def _check_events(text: str) -> None:
    """Refuse aliases, deep nesting and huge documents before any of it is built."""
    depth = 0
    event: Any
    for count, event in enumerate(yaml.parse(text, Loader=_BASE_LOADER)):
        where = f"line {event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refuse(f"{where}: anchors (&) and aliases (*) are not read; write the value out")
        if getattr(event, "tag", None) is not None:
            raise _refuse(f"{where}: tags such as {event.tag!r} are not read; write the plain value")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > NESTING_MAX:
                raise _refuse(f"{where}: nested deeper than {NESTING_MAX} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if count > NODES_MAX:
            raise _refuse(f"{where}: more than {NODES_MAX} values")


def _parse_yaml(text: str) -> Any:
    try:
        _check_events(text)
        return yaml.load(text, Loader=_CoreLoader)  # noqa: S506  # a subclass of the safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        raise _refuse(f"not readable as YAML: {where}{problem}") from error


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if key in mapping:
            raise _refuse(f"{key!r} is written twice in one object; keep one")
        mapping[key] = value
    return mapping


def _json_int(text: str) -> int:
    if len(text) > _DIGITS_MAX:
        raise _refuse(f"a number of {len(text)} characters; at most {_DIGITS_MAX}")
    return int(text)


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique_pairs, parse_int=_json_int)
    except RecursionError as error:
        raise _refuse(f"nested deeper than {NESTING_MAX} levels") from error
    except json.JSONDecodeError as error:
        raise _refuse(f"not readable as JSON: line {error.lineno}, column {error.colno}: {error.msg}") from error


def parse(text: str | bytes, notation: Format) -> dict[str, Any]:
    """Read a text into plain values.

    Parameters
    ----------
    text : str or bytes
        The recipe, UTF-8, at most `TEXT_MAX_BYTES`.
    notation : {"yaml", "json"}
        How it is written.

    Returns
    -------
    dict
        Words, numbers, booleans, lists and maps.

    Raises
    ------
    RecipeError
        Too large, not UTF-8, malformed, a key twice, an alias, too deep, or not a map at the top.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > TEXT_MAX_BYTES:
        raise _refuse(f"{len(raw)} bytes; a recipe has at most {TEXT_MAX_BYTES}")
    try:
        decoded = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refuse(f"not UTF-8 text: byte {error.start} is {raw[error.start]:#04x}") from error
    if notation not in ("yaml", "json"):
        raise _refuse(f"the notation {notation!r} is unknown; yaml or json")
    plain = _parse_yaml(decoded) if notation == "yaml" else _parse_json(decoded)
    if not isinstance(plain, dict):
        raise _refuse("a recipe is a map of fields, such as 'sample_rate_hz: 48000'")
    return plain


def write(plain: dict[str, Any], notation: Format) -> str:
    """Write plain values as text that `parse` reads back unchanged."""
    if notation == "json":
        return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    text: str = yaml.dump(plain, Dumper=_CoreDumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def is_finite_number(value: object) -> bool:
    """Return whether a plain value is a number that is neither NaN nor infinite (and not a boolean)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
