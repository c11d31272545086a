import numpy as np
import pytest
from tapelog_dsp.kernels import call, loader


@pytest.fixture
def random() -> np.random.Generator:
    """Return a seeded generator."""
    return np.random.default_rng(20_26)


@pytest.fixture(params=loader.runnable_levels())
def each_isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """Every instruction set that this processor runs, in turn."""
    monkeypatch.setenv(loader.ISA_ENVIRONMENT, request.param)
    loader.open_library.cache_clear()
    call.function.cache_clear()
    yield request.param
    loader.open_library.cache_clear()
    call.function.cache_clear()
