"""Another time of day for one process, by libfaketime; its monotonic clock stays right."""

import importlib.util
from pathlib import Path
from typing import Final

import pytest

LIBRARY: Final = "vendor/libfaketime/src/libfaketime.so.1"


def needs_faketime() -> pytest.MarkDecorator:
    """Return the mark of tests that need the library."""
    return pytest.mark.skipif(_library() is None, reason="libfaketime is not installed (pip install libfaketime)")


def skewed(offset: str) -> dict[str, str]:
    """Return the environment of a process whose clock is off by `+10m`, `-20s` or `-2d`."""
    return {"LD_PRELOAD": str(_library()), "DONT_FAKE_MONOTONIC": "1", "FAKETIME": offset}


def steered(file: Path) -> dict[str, str]:
    """Return the environment of a process whose clock is off by what a file says, looked at every second."""
    settings = {"FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_CACHE_DURATION": "1"}
    return {"LD_PRELOAD": str(_library()), "DONT_FAKE_MONOTONIC": "1", **settings}


def _library() -> Path | None:
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / LIBRARY
    return path if path.exists() else None
