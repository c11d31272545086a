"""What has been released is not broken: the check in `make lint` says so, and fails on each kind of break."""

import shutil
from collections.abc import Callable
from pathlib import Path

import gen_protos
import pytest

ROOT = Path(__file__).parents[2]
SESSION = "tapelog/session/v1"


@pytest.fixture
def protos(tmp_path: Path) -> Path:
    """Copy the sources, to be changed."""
    shutil.copytree(ROOT / "protos" / "tapelog", tmp_path / "tapelog")
    return tmp_path


def _lines(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


def _without(start: str, end: str) -> Callable[[list[str]], list[str]]:
    def change(lines: list[str]) -> list[str]:
        first = next(n for n, line in enumerate(lines) if line.strip().startswith(start))
        last = next(n for n, line in enumerate(lines) if n >= first and line.rstrip().endswith(end))
        return lines[:first] + lines[last + 1 :]

    return change


def _replaced(old: str, new: str) -> Callable[[list[str]], list[str]]:
    def change(lines: list[str]) -> list[str]:
        text = "\n".join(lines)
        assert old in text, old
        return text.replace(old, new, 1).splitlines()

    return change


BREAKS = {
    "a field is removed": ("events.proto", _without("string recorded_by = 4;", ";")),
    "a field has another number": ("events.proto", _replaced("string recorded_by = 4;", "string recorded_by = 14;")),
    "a field has another type": ("events.proto", _replaced("string recorded_by = 4;", "bytes recorded_by = 4;")),
    "a field is repeated": ("events.proto", _replaced("string recorded_by = 4;", "repeated string recorded_by = 4;")),
    "a field has another name": ("events.proto", _replaced("string recorded_by = 4;", "string by = 4;")),
    "a message is removed": ("events.proto", _without("message TakeRejected {", "}")),
    "a method is removed": ("session_service.proto", _without("rpc CancelSong(", ";")),
    "a method streams": (
        "session_service.proto",
        _replaced("rpc GetSong(GetSongRequest) returns (Song)", "rpc GetSong(GetSongRequest) returns (stream Song)"),
    ),
    "an enum value is removed": ("resources.proto", _without("STAGE_ON_HOLD = ", ";")),
    "an enum value has another number": ("resources.proto", _replaced("STAGE_ON_HOLD = ", "STAGE_ON_HOLD = 7")),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_is_found(name: str, protos: Path) -> None:
    """Callers of before, and events of before, would not be understood any more."""
    file, change = BREAKS[name]
    _lines(protos / SESSION / file, change)
    assert gen_protos.breaking(protos) != 0


def test_an_addition_is_none(protos: Path) -> None:
    """A field, a method and an enum value more are understood by callers of before."""
    path = protos / SESSION / "events.proto"
    _lines(path, _replaced("string recorded_by = 4;", "string recorded_by = 4;\n  string heard_by = 90;"))
    assert gen_protos.breaking(protos) == 0


def test_what_is_there_breaks_nothing() -> None:
    """And `make lint` asks."""
    assert gen_protos.breaking() == 0
    assert "--breaking" in (ROOT / "Makefile").read_text()
