"""The kernels of every instruction set in turn, for the tests of the core."""

from collections.abc import Iterator

import pytest
from tapelog_dsp.kernels import call, loader


@pytest.fixture(params=loader.runnable_levels())
def each_isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Every instruction set that this processor runs, in turn."""
    monkeypatch.setenv(loader.ISA_ENVIRONMENT, request.param)
    loader.open_library.cache_clear()
    call.function.cache_clear()
    yield request.param
    loader.open_library.cache_clear()
    call.function.cache_clear()
