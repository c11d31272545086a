"""Effects that may be heard in some passages only: read from the fader automation of what feeds them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import brief_pb2
from tapelog_recipe import kinds_of

from tapelog_session.domain.vision.routes import Routing
from tapelog_session.domain.vision.verdicts import NOT_APPLICABLE, NOT_MEASURED, PASS, VIOLATION, Finding, some

SILENT_DB: Final = -90.0
"""A fader at or below this is closed: under the noise of 16 bits."""
FOREVER: Final = 2**62
"""Frame after the end of any song."""

Span = tuple[int, int]


def check_sections(routing: Routing, rule: brief_pb2.SectionScope) -> Finding:
    """Look whether every selected track that feeds the effect is closed outside of the passages.

    A source that is tapped before its fader cannot be closed by it. What a fader lets through is taken at its loudest
    between two points, so a fade has to begin and end inside the passage.
    """
    wanted = kinds_of(rule.effects)
    tracks = routing.sounding(rule.selector.tracks)
    places: dict[str, str] = {}
    printed: list[str] = []
    feeding = 0
    for track in tracks:
        inserts = [insert for insert in routing.inserts(track) if insert.kind in wanted]
        printed += [path for path, kind in routing.printed(track) if kind in wanted]
        feeding += bool(inserts)
        fault = _open_outside(track, [(s.range.start_frame, s.range.end_frame) for s in rule.sections])
        if inserts and not fault and _taps_before_fader(track):
            fault = "a send before the fader cannot be closed by it"
        if inserts and fault:
            places |= {insert.path: f"{track.id}: {fault}" for insert in inserts}
    if not rule.selector.tracks:
        places |= {i.path: "the mix bus sounds everywhere" for i in routing.mix_inserts() if i.kind in wanted}
    if places:
        return Finding(VIOLATION, f"{'; '.join(dict.fromkeys(places.values()))} at {some(places)}", tuple(places))
    if printed:
        return Finding(NOT_MEASURED, "OPAQUE_PROCESSING: printed effects have no place in time", tuple(printed))
    if not feeding:
        return Finding(NOT_APPLICABLE, f"no selected track uses {', '.join(sorted(wanted))}")
    titles = ", ".join(section.title for section in rule.sections)
    return Finding(PASS, f"{feeding} track(s) feed the effect in {titles} and are closed elsewhere")


def _open_outside(track: recipe_pb2.RecipeTrack, passages: Sequence[Span]) -> str:
    """Return where a track's fader is open outside of the passages, or the empty string."""
    for start, end in _open_spans(track):
        if not any(first <= start and end <= last for first, last in passages):
            until = "the end" if end >= FOREVER else f"frame {end}"
            return f"the fader is open from frame {start} to {until}, outside of the passages"
    return ""


def _open_spans(track: recipe_pb2.RecipeTrack) -> Iterator[Span]:
    """Yield where the automation lets sound through; spans that touch are one."""
    points = list(track.gain_automation)
    if not points:
        yield 0, FOREVER
        return
    spans: list[Span] = [(0, points[0].frame)] if points[0].gain_db > SILENT_DB and points[0].frame else []
    for here, after in zip(points, [*points[1:], None], strict=True):
        end = after.frame if after is not None else FOREVER
        holds = here.curve == recipe_pb2.AUTOMATION_CURVE_HOLD or after is None
        highest = here.gain_db if holds or after is None else max(here.gain_db, after.gain_db)
        if highest <= SILENT_DB:
            continue
        if spans and spans[-1][1] == here.frame:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((here.frame, end))
    yield from spans


def _taps_before_fader(track: recipe_pb2.RecipeTrack) -> bool:
    return any(send.pre_fader for send in track.sends)
