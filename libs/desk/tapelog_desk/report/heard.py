"""A file as a report needs it: measured, drawn from, and judged where it can be."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tapelog_desk.analysis import Analysis, Progress
from tapelog_desk.analyzing import analyze_file
from tapelog_desk.checking import Checked, check_file
from tapelog_desk.codecs import Codec
from tapelog_desk.errors import SourceError

MEASURING_SHARE: Final = 0.5
"""Of the progress: the file is read once for its numbers and curves, once more for its verdicts."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A measured and judged file.

    Attributes
    ----------
    title : str
        What people call it.
    name : str
        Its file's name.
    analysis : Analysis
        Numbers, waveform, loudness over time.
    checked : Checked, optional
        Spectrum, stereo field and verdicts; None where it cannot be judged.
    remark : str
        Why not, or empty.
    start_s : float
        Its place on an album's time line, in seconds.
    """

    title: str
    name: str
    analysis: Analysis
    checked: Checked | None
    remark: str = ""
    start_s: float = 0.0

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        numbers = self.analysis.measurements
        return numbers.length_frames / max(numbers.sample_rate_hz, 1)


def hear(
    path: Path,
    *,
    title: str = "",
    reference: str | Path = "popular",
    codecs: Sequence[Codec] = (),
    start_s: float = 0.0,
    progress: Progress | None = None,
) -> Heard:
    """Measure and judge a file.

    Parameters
    ----------
    path : Path
        Any audio file; judged are mono and stereo up to the meters' rate.
    title : str
        What people call it; by default its name without extension.
    reference : str or Path
        Name of a reference curve, or another file, that its spectrum is held against.
    codecs : sequence of Codec
        What to send it through.
    start_s : float
        Its place on an album's time line.
    progress : callable, optional
        Told the share that is done.

    Raises
    ------
    SourceError
        It, or the reference, cannot be read whole.
    """

    def part(first: float, share: float) -> Progress | None:
        return None if progress is None else lambda done: progress(first + share * done)

    analysis = analyze_file(path, progress=part(0.0, MEASURING_SHARE))
    shown = title or path.stem
    try:
        checked = check_file(
            path, reference=reference, codecs=codecs, progress=part(MEASURING_SHARE, 1.0 - MEASURING_SHARE)
        )
    except SourceError as error:
        if error.reason != "SOURCE_NOT_JUDGED":
            raise
        return Heard(shown, path.name, analysis, None, f"Not judged: {error.problem}.", start_s)
    return Heard(shown, path.name, analysis, checked, "", start_s)
