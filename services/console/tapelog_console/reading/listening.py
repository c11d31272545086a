"""What is heard side by side: two versions, equally loud."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tapelog.common.v1 import audio_pb2
from tapelog.session.v1 import resources_pb2 as res

from . import words

PLAYABLE: Final = ("wav", "flac", "mp3", "ogg")
"""Containers that every browser decodes, best first: the first file of a version that is one is played."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison.

    Attributes
    ----------
    label : str
        "A" or "B".
    version : Version
    key, title : str
    audio : AudioResult
    url : str
        Where its bytes are.
    match_gain_db : float
        Playback gain that makes both sides equally loud, never above 0: the louder one must not win for being louder.
    """

    label: str
    version: res.Version
    key: str
    title: str
    audio: audio_pb2.AudioResult
    url: str
    match_gain_db: float


def played(version: res.Version) -> audio_pb2.AudioResult | None:
    """Return the file of a version that is played; None when it is not rendered."""
    return next((audio for audio in version.audio if audio.format.container in PLAYABLE), None)


def side_by_side(song: res.Song, first: res.Version | None, second: res.Version | None) -> tuple[Side, ...]:
    """Return the sides of a comparison: none, one, or two that are matched by their measured loudness."""
    chosen = [(version, audio) for version in (first, second) if version and (audio := played(version)) is not None]
    loudness = [
        audio.measurements.integrated_lufs if audio.measurements.HasField("integrated_lufs") else None
        for _, audio in chosen
    ]
    known = [lufs for lufs in loudness if lufs is not None]
    quietest = min(known) if len(known) == len(chosen) > 0 else None
    return tuple(
        Side(
            label="AB"[index],
            version=version,
            key=words.version_key(version),
            title=words.version_title(version.name),
            audio=audio,
            url=f"/{song.name}/audio/{words.version_key(version)}/{audio.sha256[:16]}.{audio.format.container}",
            match_gain_db=0.0 if quietest is None or (lufs := loudness[index]) is None else quietest - lufs,
        )
        for index, (version, audio) in enumerate(chosen)
    )


def newest(versions: Sequence[res.Version]) -> tuple[res.Version | None, res.Version | None]:
    """Return the newest version that can be heard (else the newest), and the one before it of its kind."""
    if not versions:
        return None, None
    heard = [version for version in versions if played(version)]
    shown = heard[-1] if heard else versions[-1]
    before = [version for version in heard if version.kind == shown.kind and version.number < shown.number]
    if before:
        return shown, before[-1]
    others = [version for version in heard if version.name != shown.name]
    return shown, others[-1] if others else None
