"""Building and choosing the kernels: no compiler of the system, no silent fallback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tapelog_dsp import KernelsMissingError
from tapelog_dsp.kernels import build, call, loader


@pytest.fixture
def copied_kernels(tmp_path: Path) -> Path:
    """Copy the kernel folder alone, without any library, to where nothing else of the project is."""
    folder = tmp_path / "kernels"
    shutil.copytree(build.HERE, folder, ignore=shutil.ignore_patterns("lib", "__pycache__", "twins"))
    return folder


def run_build(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Build the kernels as a program, in an environment with next to nothing in it."""
    clean = {"PATH": "/nonexistent", "HOME": "/nonexistent", "CC": "false", **environment}
    command = [sys.executable, str(folder / "build.py")]
    return subprocess.run(command, env=clean, capture_output=True, text=True, check=False, timeout=100)


def test_builds_without_a_compiler_or_a_home(copied_kernels: Path, tmp_path: Path):
    """With CC=false, an empty PATH and no home folder every library is built, the same bytes as the ones in use."""
    outcome = run_build(copied_kernels, TMPDIR=str(tmp_path))
    assert outcome.returncode == 0, outcome.stderr
    for isa in build.isa_levels():
        built = copied_kernels / "lib" / build.library_path(isa).name
        assert built.read_bytes() == build.library_path(isa).read_bytes()


def test_builds_once(copied_kernels: Path, tmp_path: Path):
    """A second build does nothing; a changed source makes every library anew."""
    first = run_build(copied_kernels, TMPDIR=str(tmp_path))
    again = run_build(copied_kernels, TMPDIR=str(tmp_path))
    assert first.stdout.count("built") == len(build.isa_levels())
    assert again.stdout == ""
    with (copied_kernels / "mix.c").open("a") as source:
        source.write("/* changed */\n")
    changed = run_build(copied_kernels, TMPDIR=str(tmp_path))
    assert changed.stdout == first.stdout


def test_broken_source_is_reported(copied_kernels: Path, tmp_path: Path):
    """A source that does not compile fails the build with the compiler's words, and leaves no library behind."""
    (copied_kernels / "mix.c").write_text("this is not C\n")
    outcome = run_build(copied_kernels, TMPDIR=str(tmp_path))
    assert outcome.returncode != 0
    assert "do not compile" in outcome.stderr
    assert "mix.c" in outcome.stderr
    assert list((copied_kernels / "lib").glob("*.so")) == []


def test_unknown_instruction_set(monkeypatch: pytest.MonkeyPatch):
    """An instruction set that does not exist is refused, and the message lists those that can run."""
    monkeypatch.setenv(loader.ISA_ENVIRONMENT, "v9")
    loader.open_library.cache_clear()
    with pytest.raises(KernelsMissingError, match=f"v9.*{loader.ISA_ENVIRONMENT} may be {loader.runnable_levels()[0]}"):
        loader.open_library()
    loader.open_library.cache_clear()


def test_missing_and_stale_libraries_are_typed_errors(tmp_path: Path):
    """Without libraries, and with libraries older than their sources, the first use says what builds them."""
    package = tmp_path / "tapelog_dsp"
    shutil.copytree(build.HERE.parent, package, ignore=shutil.ignore_patterns("__pycache__", "lib"))
    program = (
        "import numpy as np, tapelog_dsp as d\n"
        "try:\n    d.HighPass(80.0).prepare(48_000, 1).process(np.zeros((1, 8)), 0)\n"
        "except d.KernelsMissingError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}

    def use() -> str:
        command = [sys.executable, "-c", program]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout

    assert "are not built" in use()
    assert "make setup" in use()
    shutil.copytree(build.LIBRARIES, package / "kernels" / "lib")
    assert use() == ""
    with (package / "kernels" / "mix.c").open("a") as source:
        source.write("/* changed */\n")
    assert "older than their sources: `make setup`" in use()


def test_functions_are_looked_up_once():
    """The same C function is one object, whoever asks."""
    assert call.function("tl_fade", "ppdpl") is call.function("tl_fade", "ppdpl")
