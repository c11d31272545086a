"""Broadcast WAV: the bext chunk, with the time reference and the loudness of the file.

Source: EBU Tech 3285 v2 (May 2011), section 2.3 and its supplement on loudness; text is ASCII there, what cannot be
said in it becomes a question mark.
"""

import re
import struct
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from tapelog_interchange.errors import NotPossibleError, RefusedError
from tapelog_interchange.riff import body_of, read_chunks

_HEAD: Final = struct.Struct("<256s32s32s10s8sQH64s5h180s")
_VERSION: Final = 2
_HUNDREDTHS: Final = 100
_LOUDNESS: Final = (
    "integrated_lufs", "range_lu", "max_true_peak_dbtp", "max_momentary_lufs", "max_short_term_lufs",
)  # fmt: skip
_NOT_SAID: Final = 0x7FFF
"""A loudness field without a value (Tech 3285, 2.3)."""


@dataclass(frozen=True, slots=True)
class Bext:
    """The fields of a bext chunk.

    Attributes
    ----------
    description, originator, originator_reference : str
        At most 256, 32 and 32 ASCII characters.
    origination_date, origination_time : str
        ``2026-05-17`` and ``14:03:00``, or empty.
    time_reference_frames : int
        First frame of the file since midnight, at its own rate.
    umid : bytes
        64 bytes, or none.
    integrated_lufs, range_lu, max_true_peak_dbtp, max_momentary_lufs, max_short_term_lufs : float or None
        Kept in hundredths; None is not said.
    coding_history : str
        One line per step, such as ``A=PCM,F=48000,W=24,M=stereo,T=Tapelog``.
    """

    description: str = ""
    originator: str = ""
    originator_reference: str = ""
    origination_date: str = ""
    origination_time: str = ""
    time_reference_frames: int = 0
    umid: bytes = b""
    integrated_lufs: float | None = None
    range_lu: float | None = None
    max_true_peak_dbtp: float | None = None
    max_momentary_lufs: float | None = None
    max_short_term_lufs: float | None = None
    coding_history: str = ""

    def json(self) -> dict[str, object]:
        """Return the fields as JSON values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return values | {"umid": self.umid.hex()}


def _text(body: bytes) -> str:
    return body.partition(b"\0")[0].decode("latin-1")


def _field(text: str, size: int, name: str) -> bytes:
    body = text.encode("ascii", errors="replace")
    if len(body) > size:
        raise NotPossibleError("BEXT_TOO_LONG", f"{name} has {len(body)} characters, at most {size}", "shorten it")
    return body


def decode_bext(body: bytes) -> Bext:
    """Return the fields of a bext chunk; what a short chunk of an older version lacks is not said.

    Raises
    ------
    RefusedError
        ``BEXT_REFUSED``: it is shorter than version 0 requires.
    """
    if len(body) < 346:
        raise RefusedError(
            "BEXT_REFUSED", f"its bext chunk has {len(body)} bytes, at least 346", "export the file again"
        )
    parts = _HEAD.unpack(body[: _HEAD.size].ljust(_HEAD.size, b"\0"))
    version = parts[6]
    said: dict[str, float | None] = {
        name: None if version < _VERSION or value == _NOT_SAID else value / _HUNDREDTHS
        for name, value in zip(_LOUDNESS, parts[8:13], strict=True)
    }
    return Bext(
        description=_text(parts[0]),
        originator=_text(parts[1]),
        originator_reference=_text(parts[2]),
        origination_date=_text(parts[3]),
        origination_time=_text(parts[4]),
        time_reference_frames=parts[5],
        umid=parts[7] if version >= 1 and any(parts[7]) else b"",
        **said,
        coding_history=_text(body[_HEAD.size :]).replace("\r\n", "\n").rstrip("\n"),
    )


def encode_bext(bext: Bext) -> bytes:
    """Return the body of a bext chunk, version 2.

    Raises
    ------
    NotPossibleError
        A field does not fit: too long, a date or time of another form, a loudness beyond 320.
    """
    for name, text, form in (
        ("origination_date", bext.origination_date, r"\d{4}-\d{2}-\d{2}"),
        ("origination_time", bext.origination_time, r"\d{2}:\d{2}:\d{2}"),
    ):
        if text and not re.fullmatch(form, text):
            raise NotPossibleError(
                "BEXT_FORM", f"{name} is {text!r}", f"write it as {form.replace(chr(92) + 'd', '0')}"
            )
    if not 0 <= bext.time_reference_frames < 1 << 63:
        raise NotPossibleError("BEXT_FORM", f"time_reference_frames is {bext.time_reference_frames}", "give 0 or more")
    loudness = []
    for name in _LOUDNESS:
        value = getattr(bext, name)
        if value is not None and not abs(value) < 320:
            raise NotPossibleError("BEXT_FORM", f"{name} is {value}", "leave it out where nothing was measured")
        loudness.append(_NOT_SAID if value is None else round(value * _HUNDREDTHS))
    if len(bext.umid) > 64:
        raise NotPossibleError("BEXT_TOO_LONG", f"umid has {len(bext.umid)} bytes, at most 64", "give 32 or 64")
    head = _HEAD.pack(
        _field(bext.description, 256, "description"), _field(bext.originator, 32, "originator"),
        _field(bext.originator_reference, 32, "originator_reference"), bext.origination_date.encode(),
        bext.origination_time.encode(), bext.time_reference_frames, _VERSION, bext.umid, *loudness, b"",
    )  # fmt: skip
    history = "".join(f"{line}\r\n" for line in bext.coding_history.splitlines())
    return head + history.encode("ascii", errors="replace")


def read_bext(path: Path) -> Bext | None:
    """Return the bext chunk of a WAV file, or None.

    Raises
    ------
    RefusedError
        ``WAV_REFUSED`` or ``BEXT_REFUSED``.
    """
    with path.open("rb") as file:
        body = body_of(file, read_chunks(file, path.name), b"bext", path.name)
    return None if body is None else decode_bext(body)
