"""Waveform and loudness curve of a version, as the render measured them, laid out for drawing."""

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import Tapelog
from tapelog_client.errors import TapelogApiError

from .objects import SMALL_BYTES_MAX, fetch_small

ANALYSIS: Final = "analysis"
"""Role of the attachment in which a render says what it measured."""
COLUMNS_MAX: Final = 900
"""Columns of a drawing: a wide screen's pixels, halved."""
KEPT_MAX: Final = 64
"""Drawings kept, about 30 kB each; what they show never changes, so the digest is the key."""
LOUDNESS_MIN_LUFS: Final = -30.0
LOUDNESS_MAX_LUFS: Final = -6.0
"""Range of the loudness curve: below it is silence between passages, above it nothing is released."""
WIDTH: Final = 1000
"""Width of a drawing in its own units; height of the wave is 2 (−1 to 1), of the curve 1 (bottom to top)."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a version looks like.

    Attributes
    ----------
    wave : str
        SVG path of the waveform, all channels in one, x 0 to `WIDTH`, y −1 to 1 downwards.
    loudness : str
        SVG points of the short-term loudness, x 0 to `WIDTH`, y 0 to 1 downwards; empty for a short clip.
    """

    wave: str
    loudness: str


class Drawings:
    """Fetches and keeps drawings."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Drawing] = OrderedDict()

    async def of(self, api: Tapelog, project: str, version: res.Version) -> Drawing | None:
        """Return the drawing of a version that the caller was allowed to read; None when it has no analysis."""
        attached = next((file for file in version.attachments if file.role == ANALYSIS), None)
        if attached is None or attached.size_bytes > SMALL_BYTES_MAX:
            return None
        drawing = self._kept.pop(attached.sha256, None)
        if drawing is None:
            try:
                drawing = lay_out(json.loads(await fetch_small(api, project, attached.sha256)))
            except (TapelogApiError, ValueError, KeyError, TypeError) as error:
                # The page is whole without its picture; why it is missing is for whoever runs the system.
                _log.warning("an analysis cannot be drawn", sha256=attached.sha256, error=repr(error))
                return None
        self._kept[attached.sha256] = drawing
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return drawing


def lay_out(analysis: dict[str, Any]) -> Drawing:
    """Return the drawing of an analysis; raises `KeyError` or `TypeError` when it is none."""
    wave = analysis["waveform"]
    lows = [min(values) for values in zip(*wave["low"], strict=True)]
    highs = [max(values) for values in zip(*wave["high"], strict=True)]
    form = analysis["format"]
    length_s = form["length_frames"] / form["sample_rate_hz"]
    return Drawing(wave=_wave_path(lows, highs), loudness=_loudness_points(analysis["short_term_lufs"], length_s))


def _wave_path(lows: Sequence[float], highs: Sequence[float]) -> str:
    """Return a closed path along the highs and back along the lows."""
    if not lows:
        return ""
    step = -(-len(lows) // COLUMNS_MAX)
    low = [min(lows[begin : begin + step]) for begin in range(0, len(lows), step)]
    high = [max(highs[begin : begin + step]) for begin in range(0, len(highs), step)]
    scale = WIDTH * step / len(lows)
    there = [f"{min(index * scale, WIDTH):.1f} {-value:.3f}" for index, value in enumerate(high)]
    back = [f"{min(index * scale, WIDTH):.1f} {-value:.3f}" for index, value in enumerate(low)]
    return "M" + "L".join(there + back[::-1]) + "Z"


def _loudness_points(curve: dict[str, Any], length_s: float) -> str:
    if length_s <= 0:
        return ""
    span = LOUDNESS_MAX_LUFS - LOUDNESS_MIN_LUFS
    points = []
    for index, value in enumerate(curve["values"]):
        x = WIDTH * (curve["first_s"] + index * curve["step_s"]) / length_s
        lufs = LOUDNESS_MIN_LUFS if value is None else min(max(value, LOUDNESS_MIN_LUFS), LOUDNESS_MAX_LUFS)
        points.append(f"{min(x, WIDTH):.1f},{(LOUDNESS_MAX_LUFS - lufs) / span:.3f}")
    return " ".join(points)
