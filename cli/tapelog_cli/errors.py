"""What the command line itself refuses, and how every error becomes one message and one exit code."""

from pathlib import Path
from typing import ClassVar, Final

from tapelog_cli.exit_codes import ExitCode

LINES_MAX: Final = 20
"""Longest list of violations that is printed; more are counted."""


class CliError(Exception):
    """Base: what is wrong, with the value; `hint` says what to do; `code` is how the process ends."""

    code: ClassVar[ExitCode] = ExitCode.FAILURE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(CliError):
    """The command line's values do not fit together."""

    code = ExitCode.USAGE


class DataFolderInUse(CliError):  # noqa: N818 - names a state
    """Another `tapelog up` has the data folder."""

    code = ExitCode.CONFIG

    def __init__(self, folder: Path, pid: int) -> None:
        super().__init__(
            f"data folder {folder} is in use by another tapelog (process {pid or 'unknown'})",
            hint="stop that one first (Ctrl-C, or `kill` with its number), or name another folder with --data-dir",
        )
        self.folder = folder
        self.pid = pid


class PartFailed(CliError):  # noqa: N818 - names a state
    """A part of the stack stopped that should have run on."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(
            f"the {part} part of the stack stopped: {reason}",
            hint="everything was stopped; what was acknowledged is safe; read the log and start again",
        )
        self.part = part
        self.reason = reason


class Explained:
    """An error as a person reads it.

    Attributes
    ----------
    message, hint : str
    details : tuple of str
        Further lines: one a wrong field or unmet condition.
    reason : str
        Stable name for programs.
    code : ExitCode
    """

    def __init__(
        self, message: str, *, hint: str = "", details: tuple[str, ...] = (), reason: str, code: ExitCode
    ) -> None:
        self.message = message
        self.hint = hint
        details = tuple(line for line in details if line != message)
        self.details = details if len(details) <= LINES_MAX else (*details[:LINES_MAX], f"… {len(details)} in all")
        self.reason = reason
        self.code = code


def explain(error: BaseException) -> Explained:
    """Return what to tell the person, whatever went wrong; never a traceback."""
    error = first_leaf(error)
    if isinstance(error, CliError):
        return Explained(
            str(error),
            hint=error.hint,
            reason="USAGE" if isinstance(error, UsageError) else type(error).__name__,
            code=error.code,
        )
    if isinstance(error, KeyboardInterrupt):
        return Explained("interrupted", reason="Interrupted", code=ExitCode.INTERRUPTED)
    for known in (_explain_api, _explain_set_up, _explain_desk):
        if (explained := known(error)) is not None:
            return explained
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return Explained(
            f"{place}{error.strerror or error or type(error).__name__}",
            hint="check the path, who may use it, and the space on its disk; `tapelog doctor` may say more",
            reason=type(error).__name__,
            code=ExitCode.FAILURE,
        )
    return Explained(
        f"{type(error).__name__}: {error}",
        hint="this is a defect of Tapelog; run again with TAPELOG_DEBUG=1 to see where, and report it",
        reason="Internal",
        code=ExitCode.FAILURE,
    )


def first_leaf(error: BaseException) -> BaseException:
    """Return the first cause inside a group; parts of a stack fail together and one says why."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _explain_api(error: BaseException) -> Explained | None:
    # Late: the import of grpc would slow the start of commands that need no services.
    import grpc
    from tapelog_client.client_errors import AddressMissing, ClientError, StackNotRunning
    from tapelog_client.errors import TapelogApiError

    from tapelog_cli.printed.next_steps import next_step

    if isinstance(error, ClientError):
        away = isinstance(error, (StackNotRunning, AddressMissing))
        code = ExitCode.UNAVAILABLE if away else ExitCode.FAILURE
        return Explained(str(error), hint=error.hint, reason=type(error).__name__, code=code)
    if isinstance(error, TapelogApiError):
        away = error.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        return Explained(
            error.message,
            hint=next_step(error),
            details=(
                *(f"{field.field}: {field.description}" for field in error.fields),
                *(f"{item.type} ({item.subject}): {item.description}" for item in error.violations),
            ),
            reason=error.reason or error.code.name,
            code=ExitCode.UNAVAILABLE if away else ExitCode.FAILURE,
        )
    return None


def _explain_set_up(error: BaseException) -> Explained | None:
    from pydantic import ValidationError
    from tapelog_chassis.errors import ConfigRefusal
    from tapelog_chassis.event_log import LogTampered
    from tapelog_chassis.nats.errors import NatsError
    from tapelog_dsp.errors import KernelsMissingError

    if isinstance(error, ValidationError):
        return Explained(
            f"{error.error_count()} setting(s) of {error.title} are wrong",
            hint="change the option, or the TAPELOG_ environment variable of the setting's name",
            details=tuple(f"{item['loc'][0]}: {item['msg']}, got {item['input']!r}" for item in error.errors()),
            reason="SettingsInvalid",
            code=ExitCode.CONFIG,
        )

    if isinstance(error, LogTampered):
        hint = "`tapelog verify` says what does not fit, `tapelog restore` brings a backup (docs/operations.md)"
        return Explained(str(error), hint=hint, reason=type(error).__name__, code=ExitCode.CONFIG)
    if isinstance(error, (ConfigRefusal, NatsError, KernelsMissingError)):
        hint = "change the setting that it names; `tapelog doctor` checks the installation and says what to do"
        return Explained(str(error), hint=hint, reason=type(error).__name__, code=ExitCode.CONFIG)
    return None


def _explain_desk(error: BaseException) -> Explained | None:
    from tapelog_desk.errors import DeskError
    from tapelog_interchange.errors import InterchangeError
    from tapelog_recipe import RecipeError

    if isinstance(error, (DeskError, InterchangeError)):
        missed = error.reason == "TARGET_INFEASIBLE"
        code = ExitCode.TARGET_MISSED if missed else ExitCode.FAILURE
        first, *others = error.problem.splitlines()
        return Explained(first, hint=error.remedy, details=tuple(others), reason=error.reason, code=code)
    if isinstance(error, RecipeError):
        first, *others = (str(item) for item in error.violations)
        hint = "mend the recipe (docs/recipe.md), or the option that says it"
        return Explained(first, hint=hint, details=tuple(others), reason="RECIPE_INVALID", code=ExitCode.FAILURE)
    return None
