from pathlib import Path

import grpc
import pytest
from pydantic import ValidationError
from tapelog_chassis.errors import PortInUse
from tapelog_cli.errors import DataFolderInUse, PartFailed, explain
from tapelog_cli.exit_codes import ExitCode
from tapelog_client import StackNotRunning, WaitTimeout
from tapelog_client.errors import FailedPrecondition, TapelogApiError, Unavailable, Violation
from tapelog_dsp.errors import KernelsMissingError
from tapelog_recipe import RecipeError
from tapelog_recipe import Violation as RecipeViolation
from tapelog_render.settings import RenderSettings

GATE = FailedPrecondition(
    "the gate to MIXING is closed",
    reason="GATE_CLOSED",
    violations=(
        Violation("TAKE_MISSING", "track-1", "select a take of track-1"),
        Violation("TAKE_MISSING", "track-2", "select a take of track-2"),
    ),
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GATE, ExitCode.FAILURE),
        (Unavailable("connection refused"), ExitCode.UNAVAILABLE),
        (StackNotRunning(Path("data"), "there is no state.json"), ExitCode.UNAVAILABLE),
        (WaitTimeout("mixVersions/1 is not rendered yet", timeout_s=5), ExitCode.FAILURE),
        (PortInUse("127.0.0.1", 7101), ExitCode.CONFIG),
        (KernelsMissingError("the DSP kernels are not built: `make setup` builds them"), ExitCode.CONFIG),
        (DataFolderInUse(Path("data"), 7), ExitCode.CONFIG),
        (PartFailed("render", "the disk is gone"), ExitCode.FAILURE),
        (RecipeError((RecipeViolation("tracks[0].gain_db", "must be at most 24"),)), ExitCode.FAILURE),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (FileNotFoundError(2, "No such file or directory", "stem.wav"), ExitCode.FAILURE),
        (ZeroDivisionError("division by zero"), ExitCode.FAILURE),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else value.name,
)
def test_every_error_has_a_message_a_reason_and_a_code(error: BaseException, code: ExitCode) -> None:
    """Whatever is raised becomes one line of text, a stable reason and an exit code of the table."""
    explained = explain(error)

    assert explained.code == code
    assert explained.message
    assert explained.reason
    assert explained.hint or isinstance(error, KeyboardInterrupt)


@pytest.mark.parametrize("kind", TapelogApiError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_refusal_of_a_service_says_what_to_do_next(kind: type[TapelogApiError]) -> None:
    """Whatever status a call ends with, there is one more line than what is wrong."""
    assert explain(kind("no")).hint


def test_every_unmet_condition_is_told() -> None:
    """All violations are listed, each with what it is about and what to do."""
    assert explain(GATE).details == (
        "TAKE_MISSING (track-1): select a take of track-1",
        "TAKE_MISSING (track-2): select a take of track-2",
    )


def test_a_wrong_setting_is_told_with_its_value_and_limit() -> None:
    """An option or a variable out of its range is no defect: the setting, the limit and the value are named."""
    with pytest.raises(ValidationError) as refused:
        RenderSettings(workers=0, port=99_999)

    explained = explain(refused.value)

    assert (explained.code, explained.reason) == (ExitCode.CONFIG, "SettingsInvalid")
    assert explained.details == (
        "port: Input should be less than or equal to 65535, got 99999",
        "workers: Input should be greater than or equal to 1, got 0",
    )


def test_a_group_is_told_by_its_first_cause() -> None:
    """When the parts of a stack fail together, one error says why."""
    group = BaseExceptionGroup("parts", [ExceptionGroup("inner", [PartFailed("session", "the disk is gone")])])

    assert explain(group).reason == "PartFailed"


def test_a_long_list_is_cut_and_counted() -> None:
    """Hundreds of violations do not bury the message."""
    many = FailedPrecondition("no", violations=tuple(Violation("X_Y", str(i), "do it") for i in range(100)))

    assert len(explain(many).details) == 21
    assert explain(many).details[-1] == "… 100 in all"


def test_api_errors_keep_their_status_code() -> None:
    """An error without a reason of the service is named by its gRPC code."""
    assert explain(Unavailable("connection refused")).reason == grpc.StatusCode.UNAVAILABLE.name
