"""Every repair in the order in which one defect stops hiding the next.

DC first, so that levels mean what they say; clipping next, while its plateaus are still flat; dropouts before anything
models what is in them; rumble, which hides what is quiet; clicks, which would smear in every spectrum; hum, which is
louder than the noise under it; plosives; broadband noise last, whose floor is then only noise. Each detector looks at
what the tools before it left.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Final

from tapelog_dsp.audio import Audio, valid_audio, valid_sample_rate
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.repair import click, clip, dc, dropout, hum, noise, plosive, rumble
from tapelog_dsp.repair.report import Finding, RepairReport

_MODULES: Final[dict[str, ModuleType]] = {
    "dc": dc,
    "clip": clip,
    "dropout": dropout,
    "rumble": rumble,
    "click": click,
    "hum": hum,
    "plosive": plosive,
    "noise": noise,
}

TOOLS: Final = tuple(_MODULES)
"""Names of the tools, in the order in which `clean` runs them."""


@dataclass(frozen=True, slots=True)
class CleanResult:
    """What `clean` returns.

    Parameters
    ----------
    audio : ndarray [shape=(channels, frames)]
        The repaired audio; the very array that was given when nothing was found.
    reports : tuple of RepairReport
        One per tool that ran, in order.
    """

    audio: Audio
    reports: tuple[RepairReport, ...]

    @property
    def changed(self) -> bool:
        """Whether any sample differs from the input."""
        return any(report.applied for report in self.reports)


def _chosen(tools: Iterable[str] | None) -> list[str]:
    wanted = set(TOOLS if tools is None else tools)
    unknown = sorted(wanted - set(TOOLS))
    if unknown:
        raise ParameterError("tools", unknown, f"names among {', '.join(TOOLS)}")
    return [name for name in TOOLS if name in wanted]


def inspect(samples: Audio, sample_rate: int, tools: Iterable[str] | None = None) -> tuple[Finding, ...]:
    """Return what each detector says about the audio as it is, without changing anything.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0.
    sample_rate : int
        In Hz.
    tools : iterable of str, optional
        Which of `TOOLS`; all when missing.

    Raises
    ------
    ParameterError
        A tool's name is unknown, or the rate is outside 8 to 192 kHz.
    AudioError
        The array is no audio.
    """
    samples = valid_audio(samples)
    valid_sample_rate(sample_rate)
    return tuple(_MODULES[name].detect(samples, sample_rate) for name in _chosen(tools))


def clean(samples: Audio, sample_rate: int, tools: Iterable[str] | None = None) -> CleanResult:
    """Find and repair what is damaged; a clean file comes out sample-identical.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0. Memory: about ten times its size at the most demanding tool, plus 110 MB per channel for the
        noise profile of audio over five minutes.
    sample_rate : int
        In Hz.
    tools : iterable of str, optional
        Which of `TOOLS`; all when missing. They run in the order of `TOOLS` whatever order is given.

    Raises
    ------
    ParameterError
        A tool's name is unknown, or the rate is outside 8 to 192 kHz.
    AudioError
        The array is no audio.
    """
    audio = valid_audio(samples)
    valid_sample_rate(sample_rate)
    reports = []
    for name in _chosen(tools):
        audio, report = _MODULES[name].repair(audio, sample_rate)
        reports.append(report)
    return CleanResult(audio, tuple(reports))
