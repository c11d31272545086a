"""What a fault test needs of the machine; where it is missing the test is skipped and says so."""

import os
import shutil

import pytest


def root_and(*programs: str) -> list[pytest.MarkDecorator]:
    """Return the marks of tests that need root and these programs."""
    missing = [program for program in programs if shutil.which(program) is None]
    return [
        pytest.mark.skipif(os.geteuid() != 0, reason="mounts and network namespaces need root"),
        pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}"),
    ]
