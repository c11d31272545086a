"""Building and choosing the kernels: no compiler of the system, no silent fallback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tapelog_dsp import KernelsMissingError
from tapelog_dsp.kernels import build, call, loader


def copy_kernels(folder: Path) -> Path:
    """Copy the kernel folder alone, without any library, to where nothing else of the project is."""
    return shutil.copytree(build.HERE, folder / "kernels", ignore=shutil.ignore_patterns("lib", "__pycache__", "twins"))


def run_build(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Build the kernels as a program, in an environment with next to nothing in it."""
    clean = {"PATH": "/nonexistent", "HOME": "/nonexistent", "CC": "false", **environment}
    command = [sys.executable, str(folder / "build.py")]
    return subprocess.run(command, env=clean, capture_output=True, text=True, check=False, timeout=100)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Build every library in a folder of its own, once; return the folder and what the build said."""
    folder = tmp_path_factory.mktemp("built")
    return copy_kernels(folder), run_build(folder / "kernels", TMPDIR=str(folder))


def test_builds_without_a_compiler_or_a_home(built: tuple[Path, subprocess.CompletedProcess[str]]):
    """With CC=false, an empty PATH and no home folder every library is built, the same bytes as the ones in use."""
    folder, outcome = built
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.count("built") == len(build.isa_levels())
    for isa in build.isa_levels():
        assert (folder / "lib" / build.library_path(isa).name).read_bytes() == build.library_path(isa).read_bytes()


def test_builds_once(built: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path):
    """A second build does nothing; a changed source makes every library anew."""
    folder = shutil.copytree(built[0], tmp_path / "kernels")
    again = run_build(folder, TMPDIR=str(tmp_path))
    assert (again.returncode, again.stdout) == (0, "")
    with (folder / "mix.c").open("a") as source:
        source.write("/* changed */\n")
    changed = run_build(folder, TMPDIR=str(tmp_path))
    assert changed.stdout == built[1].stdout


def test_broken_source_is_reported(tmp_path: Path):
    """A source that does not compile fails the build with the compiler's words, and leaves no library behind."""
    copied_kernels = copy_kernels(tmp_path)
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
