"""Names of delivered files, by the rule of the Producers & Engineers Wing of the Recording Academy.

Artist initials, song title, mixer initials with a two-digit revision, version name, sample rate with "k", bit depth,
joined by underscores: `NP_LightsOut_KS02_Master_48k_24.wav`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

TITLE_CHARS_MAX: Final = 15
"""The rule asks for a title of fewer characters than sixteen, so that names stay readable in a list."""
INITIALS_MAX: Final = 4
INITIALS: Final = re.compile(r"[A-Za-z]{1,4}")
EXTENSIONS: Final = {
    "audio/wav": "wav",
    "audio/flac": "flac",
    "application/json": "json",
    "text/plain": "txt",
    "application/xml": "xml",
}


def initials(name: str) -> str:
    """Return the initials of a name: `The North Pier` gives `TNP`; `X` where no letter or digit is left."""
    words = re.findall(r"[A-Za-z0-9]+", _ascii(name))
    return "".join(word[0].upper() for word in words)[:INITIALS_MAX] or "X"


def title_word(title: str, chars_max: int = TITLE_CHARS_MAX) -> str:
    """Return a title without spaces, punctuation or accents: `Lights, out!` gives `LightsOut`."""
    words = re.findall(r"[A-Za-z0-9]+", _ascii(title).replace("'", ""))
    return "".join(word[0].upper() + word[1:] for word in words)[:chars_max] or "Untitled"


def rate_word(sample_rate_hz: int) -> str:
    """Return `48k`, `44.1k`."""
    return f"{sample_rate_hz / 1000:g}k"


def depth_word(bit_depth: int, *, is_float: bool) -> str:
    """Return `24`, `32f`; empty where the codec has no depth."""
    return f"{bit_depth}f" if is_float else str(bit_depth or "")


def file_name(parts: tuple[str, ...], media_type: str) -> str:
    """Join the parts that are not empty and add the extension of the media type."""
    return "_".join(part for part in parts if part) + "." + EXTENSIONS.get(media_type, "bin")


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
