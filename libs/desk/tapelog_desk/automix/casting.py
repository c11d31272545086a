"""Who plays what: roles from the sheet, else from the name, else by ear."""

from collections.abc import Sequence

from tapelog_desk.automix.classify import guess_role
from tapelog_desk.automix.hearing import Heard
from tapelog_desk.automix.naming import role_of, words_of
from tapelog_desk.automix.roles import BY_NAME, UNKNOWN, VOCALS, Role
from tapelog_desk.automix.sheet import Stem, given_role
from tapelog_desk.automix.strip import Strip

NAMED_CONFIDENCE = 0.9
"""Of a role read from a file's name."""


def cast(stems: Sequence[Stem], heard: Sequence[Heard], *, by_ear: bool = False) -> list[Strip]:
    """Return a strip with a role for every stem.

    Parameters
    ----------
    stems : sequence of Stem
        What is there.
    heard : sequence of Heard
        What was measured of each.
    by_ear : bool
        Whether roles and names are ignored, as if nobody had written any.

    Raises
    ------
    SheetError
        A written role is not known.
    """
    strips = [_cast_one(stem, ear, by_ear=by_ear) for stem, ear in zip(stems, heard, strict=True)]
    _find_choir(strips, by_ear=by_ear)
    _find_lead(strips)
    return strips


def _cast_one(stem: Stem, heard: Heard, *, by_ear: bool) -> Strip:
    given = None if by_ear else given_role(stem)
    named = None if by_ear else role_of(stem.path.stem)
    if given is not None:
        strip = Strip(stem, heard, given)
        strip.note(f"role {given.name}", f"the sheet says {stem.role!r}", "role.given", confidence=1.0)
        return strip
    guess = guess_role(heard)
    if named is not None:
        strip = Strip(stem, heard, named, NAMED_CONFIDENCE)
        doubt = _doubt(named, guess.name, guess.confidence)
        strip.note(f"role {named.name}", f"the file is called {stem.path.stem!r}{doubt}", "role.named",
                   confidence=NAMED_CONFIDENCE)  # fmt: skip
        return strip
    best = ", ".join(f"{name} {score:.2f}" for name, score in list(guess.scores.items())[:3]) or "silent"
    role = BY_NAME[guess.name]
    strip = Strip(stem, heard, role, guess.confidence)
    rule = "role.unknown" if role is UNKNOWN else "role.heard"
    strip.note(f"role {role.name}", f"by ear, confidence {guess.confidence:.2f}; scores: {best}", rule,
               confidence=guess.confidence, centroid_hz=heard.centroid_hz, harmonicity=heard.harmonicity,
               onsets_per_s=heard.onsets_per_s)  # fmt: skip
    return strip


def _doubt(named: Role, heard_name: str, confidence: float) -> str:
    """Return a remark where the sound speaks clearly against the name's family."""
    if heard_name == "unknown" or confidence < 0.7 or BY_NAME[heard_name].family == named.family:
        return ""
    return f" (by ear rather {heard_name}, confidence {confidence:.2f}: have a listen)"


def _recast(strip: Strip, role: Role, reason: str, rule: str, confidence: float) -> None:
    strip.role, strip.confidence = role, confidence
    strip.note(f"role {role.name}", reason, rule, confidence=confidence)


def _find_choir(strips: list[Strip], *, by_ear: bool) -> None:
    if by_ear:
        return
    voices = [strip for strip in strips if {"soprano", "alto", "tenor"} & set(words_of(strip.stem.path.stem).split())]
    for strip in strips:
        is_bass = words_of(strip.stem.role or strip.stem.path.stem).strip("0123456789 ") == "bass"
        if len(voices) >= 2 and is_bass and strip.role.name == "bass":
            _recast(strip, BY_NAME["voice"], f"{len(voices)} choir voices stand beside it", "role.choir", 0.7)


def _find_lead(strips: list[Strip]) -> None:
    """Make the narrowest busy voice the lead where voices were heard and nobody named one."""
    if any("lead" in strip.role.tags for strip in strips):
        return
    voices = [strip for strip in strips if strip.role.family == VOCALS and strip.role.name == "voice"]
    by_ear = [strip for strip in voices if strip.confidence < NAMED_CONFIDENCE and not strip.heard.is_silent]
    if not by_ear or len(by_ear) < len(voices):
        return
    lead = max(by_ear, key=lambda strip: (round(strip.heard.activity - strip.heard.width_db / 60.0, 3), strip.id))
    reason = f"{len(by_ear)} voice(s) heard; this one is narrow and sings {lead.heard.activity:.0%} of the time"
    for strip in by_ear:
        if strip is lead:
            _recast(strip, BY_NAME["lead vocal"], reason, "role.lead", round(strip.confidence * 0.8, 2))
        else:
            _recast(strip, BY_NAME["backing vocal"], f"{lead.id} leads", "role.lead", round(strip.confidence * 0.8, 2))
