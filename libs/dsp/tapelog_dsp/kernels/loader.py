"""Find, choose and check the compiled kernels; called once per process, on the first use."""

import ctypes
import functools
import os
from typing import Final

from tapelog_dsp.errors import KernelsMissingError
from tapelog_dsp.kernels import build

ISA_ENVIRONMENT: Final = "TAPELOG_KERNEL_ISA"
"""Set it to ``v2``, ``v3``, ``v4`` or ``generic`` to choose the instruction set by hand; the samples stay the same."""

_REMEDY: Final = "`make setup` builds them (it needs no system compiler)"


def runnable_levels() -> tuple[str, ...]:
    """Return the instruction sets that this processor can run, the most general one first.

    Raises
    ------
    KernelsMissingError
        The most general library is not there to ask.
    """
    levels = build.isa_levels()
    if not levels:
        raise KernelsMissingError(
            f"no DSP kernels exist for {build.machine()}; supported: {', '.join(build.ISA_LEVELS)}"
        )
    if build.machine() != "x86_64":
        return levels
    probe = _open(levels[0]).tl_cpu_level
    probe.restype = ctypes.c_int64
    return levels[: max(1, probe() - 1)]


@functools.lru_cache(maxsize=8)
def open_library(isa: str | None = None) -> ctypes.CDLL:
    """Open the kernels of one instruction set, by default the best that this processor runs.

    Parameters
    ----------
    isa : str, optional
        ``v2``, ``v3``, ``v4`` or ``generic``; without it the environment variable `ISA_ENVIRONMENT`, else the best.

    Raises
    ------
    KernelsMissingError
        The library is absent, older than its sources, or this processor cannot run it.
    """
    runnable = runnable_levels()
    chosen = isa or os.environ.get(ISA_ENVIRONMENT) or runnable[-1]
    if chosen not in runnable:
        raise KernelsMissingError(
            f"kernels for {chosen!r} cannot run on this processor; {ISA_ENVIRONMENT} may be {', '.join(runnable)}"
        )
    library = _open(chosen)
    stamp = library.tl_source_stamp
    stamp.restype = ctypes.c_int64
    if stamp() != build.source_stamp():
        raise KernelsMissingError(f"the DSP kernels for {chosen} are older than their sources: {_REMEDY}")
    return library


def _open(isa: str) -> ctypes.CDLL:
    path = build.library_path(isa)
    if not path.is_file():
        raise KernelsMissingError(f"the DSP kernels are not built ({path.name} is missing): {_REMEDY}")
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise KernelsMissingError(f"the DSP kernels cannot be loaded ({error}): {_REMEDY}") from error
