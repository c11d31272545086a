"""How the property tests search: the same examples in every run, unless a run is asked to look for new ones.

``TAPELOG_HYPOTHESIS=search`` draws fresh examples (the nightly tier does); what it finds becomes a fixed test.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("repeat", derandomize=True, deadline=None, database=None)
settings.register_profile("search", deadline=None, max_examples=1_000)
settings.load_profile(os.environ.get("TAPELOG_HYPOTHESIS", "repeat"))


@pytest.fixture(scope="session")
def path_with_grpcurl(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a PATH on which shell examples find grpcurl: the real one where it is installed, else a stand-in."""
    path = os.environ["PATH"]
    if shutil.which("grpcurl") is None:
        folder = tmp_path_factory.mktemp("grpcurl")
        command = folder / "grpcurl"
        stand_in = Path(__file__).with_name("grpcurl_stand_in.py")
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{stand_in}" "$@"\n')
        command.chmod(0o755)
        path = f"{folder}:{path}"
    return path
