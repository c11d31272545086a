"""The form that proposes a brief: the words, the rules that stay, and one rule more."""

import math
import re
import unicodedata
from typing import Final

from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import brief_pb2 as pb

from tapelog_console.errors import BadForm

from .forms import Form

EFFECTS: Final = tuple(sorted(field.name for field in recipe_pb2.Processor.DESCRIPTOR.oneofs_by_name["kind"].fields))
"""What a recipe can put on a track, as rules call it."""
KINDS: Final = {
    "effect_forbidden": "an effect must not be used",
    "effect_allowed_only": "only one effect may be used",
    "true_peak_max": "highest true peak, dBTP",
    "loudness_max": "highest loudness, LUFS-I",
    "loudness_min": "lowest loudness, LUFS-I",
}
"""Rules that the form can make; the others come from a file (`tapelog brief propose`)."""
ID_CHARS_MAX: Final = 32


def brief_of(form: Form, current: pb.Brief) -> pb.Brief:
    """Return what a form proposes, over the brief in force (an empty one where there is none).

    Raises
    ------
    BadForm
        Somebody else has changed the brief since the form was read, or a field is wrong.
    """
    if form.number("revision") != current.revision:
        raise BadForm(f"The brief is at revision {current.revision} by now. Read it, then propose again.")
    kept = set(form.choices("keep"))
    brief = pb.Brief(
        intent=form.text("text", label="What it shall be"),
        non_goals=[line.strip() for line in form.text("non_goals", required=False).splitlines() if line.strip()],
        constraints=[rule for rule in current.constraints if rule.id in kept],
        references=current.references,
    )
    statement = form.text("statement", required=False)
    if statement:
        brief.constraints.append(_rule(form, statement, {rule.id for rule in brief.constraints}))
    return brief


def _rule(form: Form, statement: str, taken: set[str]) -> pb.Constraint:
    rule = pb.Constraint(id=_id(statement, taken), statement=statement)
    kind = form.text("kind")
    if kind in ("effect_forbidden", "effect_allowed_only"):
        effect = form.text("effect", label="Effect")
        if effect not in EFFECTS:
            raise BadForm(f"Effect: {effect[:40]!r} is not one of the choices.")
        tracks = [part.strip() for part in form.text("tracks", required=False).split(",") if part.strip()]
        target = rule.effect_forbidden if kind == "effect_forbidden" else rule.effect_allowed_only
        target.effects.append(effect)
        target.selector.tracks.extend(tracks)
    elif kind == "true_peak_max":
        rule.true_peak_max.max_dbtp = _level(form)
    elif kind == "loudness_max":
        rule.loudness_bounds.max_integrated_lufs = _level(form)
    elif kind == "loudness_min":
        rule.loudness_bounds.min_integrated_lufs = _level(form)
    else:
        raise BadForm(f"Rule: {kind[:40]!r} is not one of the choices.")
    return rule


def _level(form: Form) -> float:
    text = form.text("level", label="Level").replace("−", "-").replace(",", ".")
    try:
        level = float(text)
    except ValueError:
        level = math.nan
    if not math.isfinite(level):
        raise BadForm(f"Level: {text[:40]!r} is not a number such as -14.")
    return level


def _id(statement: str, taken: set[str]) -> str:
    """Return a short id made of the statement's first words, unlike all others."""
    plain = unicodedata.normalize("NFKD", statement).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    id_ = "-".join(words[:4])[: ID_CHARS_MAX - 4].strip("-") or "rule"
    if not id_[0].isalpha():
        id_ = f"rule-{id_}"[: ID_CHARS_MAX - 4].strip("-")
    number, found = 1, id_
    while found in taken:
        number += 1
        found = f"{id_}-{number}"
    return found
