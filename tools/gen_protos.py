"""Generates protos/gen/python from protos/tapelog, and checks both.

python tools/gen_protos.py           regenerate in place
python tools/gen_protos.py --check   fail if the committed code is not what the protos give
python tools/gen_protos.py --lint    buf lint over the descriptor image (works without any network)
python tools/gen_protos.py --breaking  fail on a change that breaks callers or stored events of the last release
python tools/gen_protos.py --release   make what is there now the last release
"""

import argparse
import filecmp
import importlib.resources
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "protos"
GENERATED = SOURCE / "gen" / "python"
RELEASED = SOURCE / "released.binpb"
"""What the last release promised: its descriptors, without comments."""


def proto_files() -> list[str]:
    """Every proto of ours, as a path relative to the proto root."""
    return sorted(str(path.relative_to(SOURCE)) for path in (SOURCE / "tapelog").rglob("*.proto"))


def include_flags() -> list[str]:
    """Where protoc finds our protos, google.protobuf and google.rpc."""
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    rpc_status = Path(str(importlib.resources.files("google.rpc") / "status.proto")).parent.parent.parent
    return [f"-I{SOURCE}", f"-I{well_known}", f"-I{rpc_status}"]


def protoc(*flags: str, files: list[str] | None = None) -> None:
    """Run the protoc of grpcio-tools on these protos, or on all."""
    command = [sys.executable, "-m", "grpc_tools.protoc", *include_flags(), *flags, *(files or proto_files())]
    subprocess.run(command, check=True, env={"PATH": str(Path(sys.executable).parent) + ":/usr/bin:/bin"})


def generate(target: Path) -> None:
    """Write messages, type stubs and service stubs to a folder."""
    target.mkdir(parents=True, exist_ok=True)
    services = [file for file in proto_files() if file.endswith("_service.proto")]
    protoc(f"--python_out={target}", f"--mypy_out=quiet:{target}")
    protoc(f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet:{target}", files=services)
    for folder in (target / "tapelog", *(p for p in (target / "tapelog").rglob("*") if p.is_dir())):
        (folder / "__init__.py").touch()
        (folder / "py.typed").touch()


def differences(left: Path, right: Path) -> list[str]:
    """Relative paths that are not equal in both folders."""
    ignore = ["__pycache__"]
    found = []
    pending = [filecmp.dircmp(left, right, ignore=ignore)]
    while pending:
        compared = pending.pop()
        # dircmp compares by signature; the bytes decide.
        _, mismatch, errors = filecmp.cmpfiles(compared.left, compared.right, compared.common_files, shallow=False)
        base = Path(compared.left).relative_to(left)
        found += [str(base / name) for name in (*compared.left_only, *compared.right_only, *mismatch, *errors)]
        pending += compared.subdirs.values()
    return sorted(found)


def check() -> int:
    """Compare the committed code with what the protos give."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        found = differences(Path(folder), GENERATED)
    if found:
        print("protos/gen is not what the protos give; run: make protos\n  " + "\n  ".join(found), file=sys.stderr)
    return 1 if found else 0


def lint() -> int:
    """Lint the descriptor image with buf."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "protos.binpb"
        protoc(f"--descriptor_set_out={image}", "--include_imports", "--include_source_info")
        buf = Path(sys.executable).parent / "buf"
        completed = subprocess.run(
            # Google's own protos are in the image only because ours import them.
            [str(buf), "lint", str(image), "--config", str(ROOT / "buf.yaml"), "--exclude-path", "google"],
            check=False,
            cwd=ROOT,
        )
    return completed.returncode


def breaking(source: Path = SOURCE, against: Path = RELEASED) -> int:
    """Compare the protos of a folder with a release."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "protos.binpb"
        write_image(image, source)
        buf = Path(sys.executable).parent / "buf"
        flags = ["--against", str(against), "--config", str(ROOT / "buf.yaml"), "--exclude-path", "google"]
        completed = subprocess.run(
            [str(buf), "breaking", str(image), *flags],
            check=False,
            cwd=ROOT,
        )
    return completed.returncode


def write_image(image: Path, source: Path = SOURCE) -> None:
    """Write the descriptors of all protos in a folder, without comments."""
    files = sorted(str(path.relative_to(source)) for path in (source / "tapelog").rglob("*.proto"))
    flags = [flag if flag != f"-I{SOURCE}" else f"-I{source}" for flag in include_flags()]
    command = [sys.executable, "-m", "grpc_tools.protoc", *flags, f"--descriptor_set_out={image}", "--include_imports"]
    subprocess.run([*command, *files], check=True, env={"PATH": str(Path(sys.executable).parent) + ":/usr/bin:/bin"})


def main() -> int:
    """Parse the flags and do the one thing asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail on drift between protos and committed code")
    parser.add_argument("--lint", action="store_true", help="lint the protos")
    parser.add_argument("--breaking", action="store_true", help="fail on a change that breaks the last release")
    parser.add_argument("--release", action="store_true", help="make what is there now the last release")
    asked = parser.parse_args()
    if asked.release:
        write_image(RELEASED)
        return 0
    wanted = [(asked.lint, lint), (asked.check, check), (asked.breaking, breaking)]
    if any(is_wanted for is_wanted, _ in wanted):
        return max(run() for is_wanted, run in wanted if is_wanted)
    shutil.rmtree(GENERATED, ignore_errors=True)
    generate(GENERATED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
