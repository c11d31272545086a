"""The image's build steps without an engine: what the builder gets makes a whole wheel, which installs and runs."""

import fnmatch
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "image" / "Dockerfile"
BUILD_S = 300
STEPS_S = 900
PIP = ("-m", "pip", "--disable-pip-version-check")


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions with their arguments."""
    text = re.sub(r"\\\n", " ", DOCKERFILE.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def context_files() -> list[str]:
    """Return the tracked files that `.dockerignore` lets through; as docker does, the last rule that matches counts."""
    rules = [
        (line.lstrip("!"), line.startswith("!"))
        for line in DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]

    def matches(path: PurePosixPath, pattern: str) -> bool:
        candidates = [str(path), *map(str, path.parents)]
        if pattern.startswith("**/"):
            return any(fnmatch.fnmatchcase(PurePosixPath(name).name, pattern[3:]) for name in candidates)
        return any(name.count("/") == pattern.count("/") and fnmatch.fnmatchcase(name, pattern) for name in candidates)

    def is_let_through(name: str) -> bool:
        allowed = True
        for pattern, is_exception in rules:
            if matches(PurePosixPath(name), pattern):
                allowed = is_exception
        return allowed

    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("the list of files comes from git, and this is not a checkout")
    listed = subprocess.run(
        [git, "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if is_let_through(name)]


def run(*arguments: object, cwd: Path, limit_s: float) -> str:
    """Run a step of the build; its output is the message when it fails."""
    answer = subprocess.run(
        [str(argument) for argument in arguments], cwd=cwd, capture_output=True, text=True, timeout=limit_s, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the files that the image's builder gets, and no other."""
    folder = tmp_path_factory.mktemp("context")
    for name in context_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(context: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as the image does."""
    made = tmp_path_factory.mktemp("wheels")
    steps = (*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", made, ".")
    run(sys.executable, *steps, cwd=context, limit_s=BUILD_S)
    (built,) = made.glob("*.whl")
    return built


def uncompiled(folder: Path) -> list[Path]:
    """Return the modules of a folder that a start would have to compile, or to compare with their bytecode."""
    modules = list(folder.rglob("*.py"))
    assert modules
    compiled = [Path(importlib.util.cache_from_source(str(module))) for module in modules]
    unchecked = (1).to_bytes(4, "little")  # PEP 552: hash-based, not compared
    return [path for path in compiled if not path.exists() or path.read_bytes()[4:8] != unchecked]


def test_bytecode_is_made_with_the_image():
    """It is written nowhere later, so the packages and the base library are compiled, once there."""
    steps = instructions()
    runs = [json.loads(rest) for word, rest in steps if word == "RUN"]
    compiled = [step[-1] for step in runs if "compileall" in step]
    assert compiled == ["/opt/tapelog/lib", "/usr/local/lib/python3.11"]
    assert all("unchecked-hash" in step for step in runs if "compileall" in step)
    install = next(i for i, (_, rest) in enumerate(steps) if '"install", "--no-index"' in rest)
    assert install < next(i for i, (_, rest) in enumerate(steps) if '"/opt/tapelog/lib"' in rest)
    assert any("PYTHONDONTWRITEBYTECODE=1" in rest for word, rest in steps if word == "ENV")
    base = next(rest for word, rest in steps if word == "ARG")
    assert base.startswith("PYTHON_IMAGE=python:3.11."), "the library's folder names the version"


def test_no_step_goes_through_a_shell():
    """Every command is a list, every install checks hashes or takes only our own wheel, and the user is a number."""
    steps = instructions()
    runs = [rest for word, rest in steps if word in ("RUN", "CMD", "ENTRYPOINT")]
    assert runs
    assert all(rest.startswith("[") for rest in runs)
    fetching = [rest for rest in runs if '"pip"' in rest and '"--no-deps"' not in rest]
    assert all('"--require-hashes"' in rest or '"--no-index"' in rest for rest in fetching)
    assert ("USER", "10001:10001") in steps
    assert not any(word == "ADD" for word, _ in steps)


def test_the_builders_lock_is_part_of_the_development_lock():
    """The same versions with the same hashes, so that the kernels in the image are the ones the tests ran."""

    def pins(path: Path) -> dict[str, frozenset[str]]:
        blocks = re.findall(
            r"^([\w.-]+==[^ ;]+)[^\n]*((?:\n    --hash=\S+(?: \\\\)?)+)", path.read_text(), re.MULTILINE
        )
        return {name: frozenset(re.findall(r"sha256:(\w+)", hashes)) for name, hashes in blocks}

    build = pins(ROOT / "requirements-build.txt")
    development = pins(ROOT / "requirements-dev.txt")
    assert {name: development.get(name) for name in build} == build, "run `make lock`"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(project["build-system"]["requires"]) <= set(build)


def test_what_the_builder_gets_is_what_the_wheel_needs():
    """Packages, build hook, licence and locks; no test, tool, example, document or compiled file, and no secret."""
    names = context_files()
    tops = {name.split("/")[0] for name in names}
    assert tops == {
        "LICENSE",
        "README.md",
        "cli",
        "hatch_build.py",
        "libs",
        "protos",
        "pyproject.toml",
        "requirements-build.txt",
        "requirements.txt",
        "services",
    }
    assert not [name for name in names if name.endswith((".so", ".pyc"))]


def test_the_wheel_holds_everything_that_runs_and_no_more(wheel: Path):
    """Every package with its typing marker, a kernel for each instruction set, every data file; and no test."""
    names = zipfile.ZipFile(wheel).namelist()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    files = context_files()
    for package in packages:
        tracked = [name for name in files if name.startswith(f"{package}/")]
        assert tracked, package
        for name in tracked:
            inside = f"{PurePosixPath(package).name}/{name.removeprefix(package + '/')}"
            assert inside in names, f"{inside} is missing in the wheel"
        if not package.endswith("/tapelog"):
            assert f"{PurePosixPath(package).name}/py.typed" in names, package
    machine = re.search(r"_(x86_64|aarch64)\.whl$", wheel.name)
    assert machine, wheel.name
    isas = {"x86_64": ("v2", "v3", "v4"), "aarch64": ("generic",)}[machine[1]]
    kernels = {name for name in names if name.endswith(".so")}
    assert kernels == {f"tapelog_dsp/kernels/lib/tapelog_kernels-{machine[1]}-{isa}.so" for isa in isas}
    roots = {PurePosixPath(package).name for package in packages}
    assert {name.split("/")[0] for name in names} == roots | {f"tapelog-{wheel.name.split('-')[1]}.dist-info"}
    assert not [name for name in names if re.search(r"(^|/)(tests?|conftest\.py|test_[^/]*\.py)(/|$)", name)]


@pytest.mark.nightly
@pytest.mark.timeout(STEPS_S)
def test_the_dockerfiles_own_steps_make_an_installation_that_runs(context: Path, tmp_path: Path):
    """Each RUN of the Dockerfile with its folders moved here; then every part imports and the kernels load."""
    places = {
        "/opt/build": tmp_path / "build",
        "/opt/tapelog": tmp_path / "tapelog",
        "/wheels": tmp_path / "wheels",
        "/usr/local/lib/python3.11": tmp_path / "library",
    }
    (tmp_path / "library").mkdir()
    shutil.copy2(json.__file__, tmp_path / "library" / "some.py")
    steps = [json.loads(rest) for word, rest in instructions() if word == "RUN"]
    assert len(steps) == 8
    for step in steps:
        arguments = [sys.executable if step[0] == "python" else step[0], *step[1:]]
        for there, here in places.items():
            arguments = [argument.replace(there, str(here)) for argument in arguments]
        run(*arguments, cwd=context, limit_s=STEPS_S)
    assert uncompiled(tmp_path / "tapelog" / "lib") == uncompiled(tmp_path / "library") == []
    python = tmp_path / "tapelog" / "bin" / "python"
    pip = (tmp_path / "build" / "bin" / "python", *PIP, "--python", python)
    run(*pip, "check", cwd=tmp_path, limit_s=60)
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    listed = json.loads(run(*pip, "list", "--format", "json", cwd=tmp_path, limit_s=60))
    assert {re.sub(r"[_.]", "-", item["name"].lower()) for item in listed} - locked == {"tapelog"}
    program = (
        "import tapelog_session.__main__, tapelog_render.__main__, tapelog_render.worker, tapelog_notify.__main__\n"
        "import tapelog_chassis.health_check, tapelog_cli.commands.deployment\n"
        "from tapelog_dsp.kernels.loader import open_library\n"
        "open_library()\n"
        "print('whole')\n"
    )
    assert run(python, "-I", "-W", "error", "-c", program, cwd=tmp_path, limit_s=60) == "whole\n"
    assert "broker-init" in run(tmp_path / "tapelog" / "bin" / "tapelog", "--help", cwd=tmp_path, limit_s=60)


@pytest.mark.nightly
@pytest.mark.timeout(2 * BUILD_S)
def test_two_builds_make_the_same_wheel(context: Path, wheel: Path, tmp_path: Path):
    """From a copy of the sources elsewhere, with other file times, comes the same file, byte for byte."""
    elsewhere = tmp_path / "somewhere else"
    shutil.copytree(context, elsewhere, ignore=shutil.ignore_patterns("*.so", "build", "dist"))
    for path in elsewhere.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    made = tmp_path / "wheels"
    steps = (*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", made, ".")
    run(sys.executable, *steps, cwd=elsewhere, limit_s=BUILD_S)
    (again,) = made.glob("*.whl")
    assert again.name == wheel.name
    first, second = zipfile.ZipFile(wheel), zipfile.ZipFile(again)
    assert first.namelist() == second.namelist()
    assert [name for name in first.namelist() if first.read(name) != second.read(name)] == []
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (wheel, again)}
    assert len(digests) == 1
