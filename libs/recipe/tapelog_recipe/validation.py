"""Ranges, sizes and sources of a recipe: every violation at once, with path, value and limit."""

import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_parameters import PROCESSORS, Parameter, Smoothing
from tapelog_parameters.sizes import CURVE_POINTS_MAX, MULTIBAND_BANDS_MAX, MULTIBAND_BANDS_MIN, SPLIT_RATIO_MIN

from tapelog_recipe import limits
from tapelog_recipe.codec import child, item_labels, show
from tapelog_recipe.errors import Violation
from tapelog_recipe.naming import Field, MessageType
from tapelog_recipe.parameters import PARAMETERS, PROCESSOR_KINDS
from tapelog_recipe.routing import routing_violations
from tapelog_recipe.selectors import track_paths
from tapelog_recipe.text import is_finite_number

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_TARGET_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_ASSUMED_RATE_HZ: Final = 48_000
"""Sample rate that frequency limits are taken at when the recipe leaves it to the mix, or has none that is allowed."""

_SIZES: Final[dict[tuple[str, str], tuple[int, int]]] = {
    ("MixRecipe", "tracks"): (1, limits.TRACKS_MAX),
    ("MixRecipe", "buses"): (0, limits.BUSES_MAX),
    ("MixRecipe", "mix_chain"): (0, limits.CHAIN_MAX),
    ("RecipeTrack", "chain"): (0, limits.CHAIN_MAX),
    ("RecipeTrack", "sends"): (0, limits.SENDS_MAX),
    ("RecipeTrack", "gain_automation"): (0, limits.GAIN_POINTS_MAX),
    ("RecipeTrack", "tags"): (0, limits.TAGS_MAX),
    ("RecipeTrack", "printed_effects"): (0, limits.TAGS_MAX),
    ("MixRecipe", "vcas"): (0, limits.BUSES_MAX),
    ("MixRecipe", "mix_gain_automation"): (0, limits.GAIN_POINTS_MAX),
    ("MixRecipe", "mix_automation"): (0, limits.MOVING_SETTINGS_MAX),
    ("RecipeTrack", "automation"): (0, limits.MOVING_SETTINGS_MAX),
    ("RecipeTrack", "pan_automation"): (0, limits.GAIN_POINTS_MAX),
    ("RecipeBus", "automation"): (0, limits.MOVING_SETTINGS_MAX),
    ("RecipeBus", "gain_automation"): (0, limits.GAIN_POINTS_MAX),
    ("RecipeSend", "gain_automation"): (0, limits.GAIN_POINTS_MAX),
    ("RecipeVca", "gain_automation"): (0, limits.GAIN_POINTS_MAX),
    ("RecipeVca", "members"): (0, limits.TRACKS_MAX + limits.BUSES_MAX),
    ("SettingAutomation", "points"): (1, limits.GAIN_POINTS_MAX),
    ("RecipeBus", "chain"): (0, limits.CHAIN_MAX),
    ("RecipeBus", "sends"): (0, limits.SENDS_MAX),
    ("Equalizer", "bands"): (1, limits.BANDS_MAX),
    ("LinearPhaseEq", "bands"): (1, limits.BANDS_MAX),
    ("Multiband", "bands"): (MULTIBAND_BANDS_MIN, MULTIBAND_BANDS_MAX),
    ("Multiband", "splits_hz"): (MULTIBAND_BANDS_MIN - 1, MULTIBAND_BANDS_MAX - 1),
    ("CurveEq", "curve"): (2, CURVE_POINTS_MAX),
    ("MasterRecipe", "chain"): (0, limits.CHAIN_MAX),
    ("MasterRecipe", "outputs"): (0, limits.OUTPUTS_MAX),
    ("MasterRecipe", "automation"): (0, limits.MOVING_SETTINGS_MAX),
    ("MasterRecipe", "drive_automation"): (0, limits.GAIN_POINTS_MAX),
}
"""Fewest and most items of each list."""


def check_number(value: float, entry: Parameter, sample_rate_hz: int, path: str) -> Iterator[Violation]:
    """Yield a violation if a number is outside its parameter's range."""
    if not (is_finite_number(value) and entry.allows(value, sample_rate_hz)):
        missing = " (it has to be written)" if value == 0 and entry.default is None else ""
        yield Violation(path, f"must be {entry.range_text(sample_rate_hz)}, got {value:.10g}{missing}")


def _numbers(message: Message, sample_rate_hz: int, path: str) -> Iterator[Violation]:
    for name, entry in PARAMETERS.get(message.DESCRIPTOR.name, {}).items():
        field: Field = message.DESCRIPTOR.fields_by_name[name]
        if field.has_presence and not message.HasField(name):
            continue
        yield from check_number(getattr(message, name), entry, sample_rate_hz, child(path, name))


def _enums(message: Message, path: str) -> Iterator[Violation]:
    field: Field
    for field in message.DESCRIPTOR.fields:
        if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM and not field.is_repeated:
            number = getattr(message, field.name)
            if number not in field.enum_type.values_by_number:
                yield Violation(child(path, field.name), f"{number} is not a value of {field.enum_type.name}")


def _sizes(message: Message, path: str) -> Iterator[Violation]:
    for (owner, name), (fewest, most) in _SIZES.items():
        if owner == message.DESCRIPTOR.name and not fewest <= len(getattr(message, name)) <= most:
            found = len(getattr(message, name))
            yield Violation(child(path, name), f"must have {fewest} to {most} entries, got {found}")


def source_violations(source: pb.RecipeSource, path: str, *, services: bool) -> Iterator[Violation]:
    """Yield what is wrong with a source: none, a malformed digest, or a file where only assets are allowed."""
    kind = source.WhichOneof("from")
    if kind is None:
        yield Violation(path, "has no source; write 'file:NAME' (desk commands) or 'asset:SHA256'")
    elif kind == "asset_sha256" and not _SHA256.fullmatch(source.asset_sha256):
        yield Violation(f"{path}.asset_sha256", f"must be 64 lower-case hex digits, got {show(source.asset_sha256)}")
    elif kind == "file" and services:
        yield Violation(f"{path}.file", "files are for the desk commands; upload the file and name it by its SHA-256")
    elif kind == "file" and not 1 <= len(source.file) <= limits.FILE_NAME_MAX:
        yield Violation(f"{path}.file", f"must have 1 to {limits.FILE_NAME_MAX} characters, got {len(source.file)}")
    elif kind == "file" and "\0" in source.file:
        yield Violation(f"{path}.file", "contains a NUL character")


def _processor(processor: pb.Processor, path: str) -> Iterator[Violation]:
    kind = processor.WhichOneof("kind")
    if kind == "convolution" and not processor.convolution.HasField("impulse"):
        where = f"{path}.convolution.impulse"
        yield Violation(where, "has no source; write 'file:NAME' (desk commands) or 'asset:SHA256'")
    if kind is None:
        yield Violation(path, f"sets no kind of insert; write one of {', '.join(PROCESSOR_KINDS)}")


def _band(band: pb.EqBand, path: str) -> Iterator[Violation]:
    shelf = band.shape in (pb.EQ_SHAPE_LOW_SHELF, pb.EQ_SHAPE_HIGH_SHELF)
    butterworth = PARAMETERS["EqBand"]["q"].default
    if shelf and band.HasField("q") and band.q != butterworth:
        yield Violation(f"{path}.q", f"shelves are Butterworth and take no q but {butterworth}, got {band.q:g}")


_POINTS: Final = ("gain_automation", "pan_automation", "mix_gain_automation", "drive_automation", "points")
"""Lists of breakpoints, in order of their frame."""


def _points(message: Message, path: str) -> Iterator[Violation]:
    for name in _POINTS:
        if name not in message.DESCRIPTOR.fields_by_name:
            continue
        frames = [point.frame for point in getattr(message, name)]
        for index in range(1, len(frames)):
            if frames[index] <= frames[index - 1]:
                where = child(path, f"{name}[{index}].frame")
                yield Violation(where, f"must be after the point before it ({frames[index - 1]}), got {frames[index]}")


def _moving(
    moving: pb.SettingAutomation, chain: Sequence[pb.Processor], path: str, rate_hz: int
) -> Iterator[Violation]:
    """Check that a setting exists, can move, and stays in its range."""
    if not 0 <= moving.position < len(chain):
        yield Violation(f"{path}.position", f"must be 0 to {len(chain) - 1}, the places of the chain")
        return
    kind = chain[moving.position].WhichOneof("kind")
    settings: Message | None = getattr(chain[moving.position], kind) if kind else None
    name = moving.setting
    if isinstance(settings, pb.Equalizer | pb.Multiband):
        word, _, rest = name.partition(".")
        place, _, name = rest.partition(".")
        known = word == "bands" and place.isdecimal() and int(place) < len(settings.bands)
        settings = settings.bands[int(place)] if known else None
    entry = None if settings is None else PARAMETERS.get(settings.DESCRIPTOR.name, {}).get(name)
    if entry is None or entry.smoothing is Smoothing.FIXED:
        yield Violation(
            f"{path}.setting", f"{show(moving.setting)} cannot move: it is no setting of this insert, or structure"
        )
        return
    for index, point in enumerate(moving.points):
        if not (is_finite_number(point.value) and entry.moves_to(point.value, rate_hz)):
            where, limit = f"{path}.points[{index}].value", entry.moving_range_text(rate_hz)
            yield Violation(where, f"must be {limit} where it moves, got {point.value:.10g}")


def _automations(message: Message, path: str, rate_hz: int) -> Iterator[Violation]:
    pairs = {"RecipeTrack": ("automation", "chain"), "RecipeBus": ("automation", "chain"),
             "MixRecipe": ("mix_automation", "mix_chain"), "MasterRecipe": ("automation", "chain")}  # fmt: skip
    names = pairs.get(message.DESCRIPTOR.name)
    if names is not None:
        for index, moving in enumerate(getattr(message, names[0])):
            yield from _moving(moving, getattr(message, names[1]), child(path, f"{names[0]}[{index}]"), rate_hz)


def _delay(delay: pb.Delay, path: str) -> Iterator[Violation]:
    if delay.time_ms <= 0 and delay.beats <= 0:
        yield Violation(f"{path}.time_ms", "has to be written, or beats instead")


def _multiband(multiband: pb.Multiband, path: str) -> Iterator[Violation]:
    splits = list(multiband.splits_hz)
    if len(splits) != len(multiband.bands) - 1:
        yield Violation(f"{path}.splits_hz", f"must be one fewer than bands, got {len(splits)}")
    for index, split in enumerate(splits):
        lowest = splits[index - 1] * SPLIT_RATIO_MIN if index else PROCESSORS["Multiband"]["splits_hz"].low
        if not lowest <= split <= limits.SPLIT_MAX_HZ:
            where = f"{path}.splits_hz[{index}]"
            yield Violation(where, f"must be from {lowest:g} to {limits.SPLIT_MAX_HZ:g} Hz, got {split:g}")


def _curve(curve: pb.CurveEq, path: str) -> Iterator[Violation]:
    for index, (before, point) in enumerate(itertools.pairwise(curve.curve), 1):
        if not before.frequency_hz < point.frequency_hz:
            where = f"{path}.curve[{index}].frequency_hz"
            yield Violation(
                where, f"must be above the point before it ({before.frequency_hz:g}), got {point.frequency_hz:g}"
            )


def _output(output: pb.OutputFormat, path: str) -> Iterator[Violation]:
    if output.container == pb.CONTAINER_FLAC and output.HasField("bit_depth") and output.bit_depth == 32:
        yield Violation(f"{path}.bit_depth", "FLAC takes 16 or 24 bits, got 32; 32 is float and for WAV only")


def _walk(message: Message, rate_hz: int, path: str, *, services: bool) -> Iterator[Violation]:
    """Check one message, then the messages inside it."""
    yield from _numbers(message, rate_hz, path)
    yield from _enums(message, path)
    yield from _sizes(message, path)
    yield from _points(message, path)
    yield from _automations(message, path, rate_hz)
    if isinstance(message, pb.RecipeSource):
        yield from source_violations(message, path, services=services)
    elif isinstance(message, pb.Processor):
        yield from _processor(message, path)
    elif isinstance(message, pb.EqBand):
        yield from _band(message, path)
    elif isinstance(message, pb.Delay):
        yield from _delay(message, path)
    elif isinstance(message, pb.Multiband):
        yield from _multiband(message, path)
    elif isinstance(message, pb.CurveEq):
        yield from _curve(message, path)
    elif isinstance(message, pb.OutputFormat):
        yield from _output(message, path)
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.is_repeated and _is_fine(field.message_type, value):
            continue
        here = child(path, field.name)
        items: list[Any] = list(value) if field.is_repeated else [value]
        places = [f"{here}[{label}]" for label in item_labels(items)] if field.is_repeated else [here]
        for place, item in zip(places, items, strict=True):
            yield from _walk(item, rate_hz, place, services=services)


_Rules = tuple[tuple[tuple[str, float, float], ...], tuple[tuple[str, frozenset[int]], ...]]


@functools.cache
def _breakpoint_rules(kind: MessageType) -> _Rules | None:
    """Return a breakpoint's numbers with their ranges, and its enums with their values; None for other messages.

    There are thousands of breakpoints in a recipe, and nothing about one depends on another but its order.
    """
    fields: list[Field] = list(kind.fields)
    is_plain = not any(field.message_type is not None or field.is_repeated for field in fields)
    if "frame" not in kind.fields_by_name or not is_plain:
        return None
    entries = PARAMETERS.get(kind.name, {})
    if any(entry.choices or entry.zero_is_off or entry.high_is_share_of_rate for entry in entries.values()):
        return None
    enums = [field for field in fields if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM]
    return (
        tuple((name, entry.low, entry.high) for name, entry in entries.items()),
        tuple((field.name, frozenset(field.enum_type.values_by_number)) for field in enums),
    )


def _is_fine(kind: MessageType, messages: Sequence[Message]) -> bool:
    """Tell whether nothing is wrong with any of these breakpoints; of other messages it says no."""
    rules = _breakpoint_rules(kind)
    if rules is None:
        return False
    return all(low <= getattr(one, name) <= high for name, low, high in rules[0] for one in messages) and all(
        getattr(one, name) in known for name, known in rules[1] for one in messages
    )


def _size(recipe: Message) -> Iterator[Violation]:
    size = recipe.ByteSize()
    if size > limits.MESSAGE_MAX_BYTES:
        yield Violation("", f"the recipe has {size} bytes, at most {limits.MESSAGE_MAX_BYTES}; use fewer gain points")


def _usable_rate(rate_hz: int) -> int:
    entry = PARAMETERS["MixRecipe"]["sample_rate_hz"]
    return rate_hz if entry.low <= rate_hz <= entry.high else _ASSUMED_RATE_HZ


def validate_mix(recipe: pb.MixRecipe, *, services: bool) -> tuple[Violation, ...]:
    """Check a mix recipe completely.

    Parameters
    ----------
    recipe : MixRecipe
        The recipe as written; nothing is changed.
    services : bool
        Whether it goes to the services, which take assets and refuse files.

    Returns
    -------
    tuple of Violation
        Everything that is wrong, in the recipe's order; empty if it can be rendered.
    """
    rate_hz = _usable_rate(recipe.sample_rate_hz)
    sources = (
        Violation(f"{path}.source", "has no source; write 'file:NAME' (desk commands) or 'asset:SHA256'")
        for path, track in track_paths(recipe)
        if not track.HasField("source")
    )
    return (
        *_size(recipe),
        *_walk(recipe, rate_hz, "", services=services),
        *sources,
        *routing_violations(recipe),
    )


def validate_master(recipe: pb.MasterRecipe, *, services: bool) -> tuple[Violation, ...]:
    """Check a master recipe completely; whether its target's name is published is the engine's to know.

    Parameters
    ----------
    recipe : MasterRecipe
        The recipe as written; nothing is changed.
    services : bool
        Whether it goes to the services, which take assets and refuse files.

    Returns
    -------
    tuple of Violation
        Everything that is wrong; empty if it can be rendered.
    """
    found = [*_size(recipe), *_walk(recipe, _usable_rate(recipe.sample_rate_hz), "", services=services)]
    if not recipe.HasField("source"):
        found.append(Violation("source", "has no source; write 'file:NAME' (desk commands) or 'asset:SHA256'"))
    target = recipe.target
    if target.name and not _TARGET_NAME.fullmatch(target.name):
        found.append(Violation("target.name", f"must be lower-case words joined by '-', got {show(target.name)}"))
    found.extend(
        Violation(f"target.{field}", "has to be written where target.name is not")
        for field in ("integrated_lufs", "ceiling_dbtp")
        if not target.name and not target.HasField(field)
    )
    return tuple(found)
