"""Exit codes of every command: the one table. They are stable; scripts may rely on them."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    """Done."""
    FAILURE = 1
    """Refused or failed; standard error says why and what to do."""
    USAGE = 2
    """The command line is wrong."""
    UNAVAILABLE = 3
    """No running Tapelog was found, or a service did not answer; trying again later may help."""
    TARGET_MISSED = 4
    """Not reached: a loudness target, a check of a master, a rule of the brief, equal samples, whole credits."""
    CONFIG = 78
    """The installation or the settings cannot work (EX_CONFIG of sysexits.h); trying again will not help."""
    INTERRUPTED = 130
    """Ended by Ctrl-C before it was done (128 + SIGINT)."""
