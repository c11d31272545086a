"""How the master comes across on other systems: the playback profiles that the gate to DELIVERED looks at.

The render measures them; a profile outside its limits keeps the gate closed until another master is made, or the
producer waives it by decision, like any rule of taste.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tapelog.common.v1 import audio_pb2
from tapelog.session.v1 import resources_pb2 as pb

from tapelog_session.domain.song import Song, Version
from tapelog_session.domain.versioning.versions import MASTER
from tapelog_session.domain.vision.waivers import TRANSLATION, waiver_of

CODE: Final = "TRANSLATION_FAILED"
FAIL: Final = audio_pb2.TRANSLATION_STATUS_FAIL


def rule_of(check: audio_pb2.TranslationCheck) -> str:
    """Return what a profile is called in a waiver, such as `translation-phone`."""
    return f"{TRANSLATION}{check.profile}"


def broken_profiles(version: Version) -> dict[str, audio_pb2.TranslationCheck]:
    """Return the profiles on which a version fails, by the name of their rule."""
    checks = version.audio[0].translation if version.audio else ()
    return {rule_of(check): check for check in checks if check.status == FAIL}


def profiles_hold(song: Song) -> Sequence[pb.GateCondition]:
    """Demand that the master passes every profile, or that the producer waived those that it does not."""
    master = song.candidate(MASTER)
    if master is None or not master.is_rendered:
        return []
    subject = str(song.name.version(MASTER, master.number))
    if not master.audio[0].translation:
        text = "how the master translates was not measured; propose it again with this engine"
        return [pb.GateCondition(code="TRANSLATION_NOT_MEASURED", description=text, subject=subject)]
    found = []
    for rule, check in broken_profiles(master).items():
        waiver = waiver_of(song, master, rule)
        text = f"{check.title}: {check.value:.2f} {check.unit}, the limit is {check.limit:g} {check.unit}"
        if waiver is not None:
            text = f"{text}; waived by decision {waiver.disagreement}: {waiver.reason[:160]}"
        else:
            text = f"{text}; make another master, or decide to waive {rule}"
        found.append(pb.GateCondition(code=CODE, passed=waiver is not None, description=text, subject=subject))
    count = len(master.audio[0].translation)
    return found or [
        pb.GateCondition(
            code=CODE, passed=True, description=f"{count} profiles are inside their limits", subject=subject
        )
    ]
