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

from tapelog_dsp.audio import Audio, valid_sample_rate
from tapelog_dsp.errors import ParameterError
from tapelog_dsp.repair import click, clip, dc, dropout, hum, noise, plosive, rumble
from tapelog_dsp.repair.report import Finding, RepairReport
from tapelog_dsp.repair.store import Store, as_store

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
    store = as_store(samples, sample_rate)
    return tuple(_MODULES[name].look(store, sample_rate) for name in _chosen(tools))


def clean(samples: Audio, sample_rate: int, tools: Iterable[str] | None = None) -> CleanResult:
    """Find and repair what is damaged; a clean file comes out sample-identical.

    Parameters
    ----------
    samples : ndarray [shape=(channels, frames)]
        Full scale 1.0. `clean_store` takes recordings that are longer than memory should be.
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
    store, reports = clean_store(as_store(samples, sample_rate), sample_rate, tools)
    return CleanResult(store.read(0, store.frames), reports)


def clean_store(
    store: Store, sample_rate: int, tools: Iterable[str] | None = None
) -> tuple[Store, tuple[RepairReport, ...]]:
    """Do the same with a recording that lies anywhere, in memory that does not depend on its length.

    Parameters
    ----------
    store : Store
        The recording; it is not changed.
    sample_rate : int
        In Hz.
    tools : iterable of str, optional
        As for `clean`.

    Returns
    -------
    tuple of Store and tuple of RepairReport
        The store that was given when nothing was found, else a new one; what lay between has been closed.
    """
    valid_sample_rate(sample_rate)
    present, reports = store, []
    for name in _chosen(tools):
        tool = _MODULES[name]
        made, report = tool.mend(present, sample_rate, tool.look(present, sample_rate))
        if made is not present and present is not store:
            present.close()
        present = made
        reports.append(report)
    return present, tuple(reports)
