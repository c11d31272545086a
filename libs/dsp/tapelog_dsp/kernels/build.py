"""Compile the kernels with the clang inside the ``ziglang`` wheel: no system compiler, no libm, no contraction.

Runs before the package is installed (the build hook calls it by path), so it imports the standard library only.
Every instruction set gives the same bits: the flags forbid fused multiply-add and reassociation, the sources call no
mathematical library, and the loops keep their order of summation.
"""

import hashlib
import os
import platform
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
LIBRARIES: Final = HERE / "lib"

ISA_LEVELS: Final[dict[str, dict[str, str]]] = {
    "x86_64": {"v2": "x86_64_v2", "v3": "x86_64_v3", "v4": "x86_64_v4"},
    "aarch64": {"generic": "generic"},
}
"""Per machine: our name of an instruction set -> what clang calls it. The first one runs on every such machine."""

FLAGS: Final = (
    "-std=c11",
    "-O3",
    "-ffp-contract=off",
    "-fno-fast-math",
    "-fno-math-errno",
    "-fno-sanitize=all",
    "-fomit-frame-pointer",
    "-fvisibility=hidden",
    "-fPIC",
    "-shared",
    "-nostdlib",
    "-s",
    "-Wall",
    "-Wextra",
    "-Werror",
)
# Without this clang keeps to 256 bits on AVX-512 machines; wider vectors change the speed, never the bits.
WIDTH_FLAGS: Final = {"v4": ("-mprefer-vector-width=512",)}
COMPILE_TIMEOUT_S: Final = 300  # a cold cache on a busy machine took 5 s; a hang must still end


def machine() -> str:
    """Return this machine's family as `ISA_LEVELS` names it."""
    name = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


def isa_levels(family: str | None = None) -> tuple[str, ...]:
    """Return the instruction sets that are built for a family of machines, the most general one first."""
    return tuple(ISA_LEVELS.get(family or machine(), {}))


def library_path(isa: str, family: str | None = None) -> Path:
    """Return where the library for an instruction set stands."""
    return LIBRARIES / f"tapelog_kernels-{family or machine()}-{isa}.so"


def source_files() -> list[Path]:
    """Return every C source and header, in a fixed order."""
    return sorted([*HERE.glob("*.c"), *HERE.glob("*.h")])


def source_stamp() -> int:
    """Return a 63-bit digest of sources and flags; it is compiled in, so a stale library is recognised."""
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for path in source_files():
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return int.from_bytes(digest.digest()[:8], "big") >> 1


def _writable_cache() -> Path:
    """Return a folder for the compiler's cache: ``build/`` of the checkout, or a private temporary one."""
    import tempfile

    for parent in HERE.parents:
        if (parent / "pyproject.toml").is_file():
            folder = parent / "build" / "zig-cache"
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError:
                break
            if os.access(folder, os.W_OK):
                return folder
            break
    return Path(tempfile.mkdtemp(prefix="tapelog-zig-"))


def _compile(isa: str, family: str, stamp: int, cache: Path) -> None:
    """Compile one library and move it into place whole, so that a reader never sees half of one."""
    import subprocess  # this module is loaded by every command, for the stamp; few compile

    target = library_path(isa, family)
    partial = target.with_suffix(f".{os.getpid()}.part")
    system = "macos" if sys.platform == "darwin" else "linux-gnu"
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *WIDTH_FLAGS.get(isa, ())]
    command += ["-target", f"{family}-{system}", f"-mcpu={ISA_LEVELS[family][isa]}"]
    command += [f"-DTL_SOURCE_STAMP={stamp}LL", f'-DTL_ISA_NAME="{isa}"', "-o", str(partial)]
    command += [path.name for path in source_files() if path.suffix == ".c"]
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)}
    outcome = subprocess.run(
        command, cwd=HERE, env=environment, capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S, check=False
    )
    if outcome.returncode:
        partial.unlink(missing_ok=True)
        raise RuntimeError(f"the DSP kernels for {family} {isa} do not compile:\n{outcome.stderr}")
    partial.replace(target)


def build(*, force: bool = False) -> list[Path]:
    """Compile what is missing or older than its sources.

    Returns
    -------
    list of Path
        The libraries that were compiled now; empty when all were up to date.

    Raises
    ------
    RuntimeError
        This machine's family has no build, or the sources do not compile.
    """
    family = machine()
    if not isa_levels(family):
        raise RuntimeError(f"no DSP kernels for {machine()}: supported are {', '.join(ISA_LEVELS)}")
    LIBRARIES.mkdir(exist_ok=True)
    stamp = source_stamp()
    marker = LIBRARIES / "stamp"
    paths = {isa: library_path(isa, family) for isa in isa_levels(family)}
    current = marker.is_file() and marker.read_text() == str(stamp)
    stale = [isa for isa, path in paths.items() if force or not current or not path.is_file()]
    if stale:
        cache = _writable_cache()
        for isa in stale:
            _compile(isa, family, stamp, cache)
        marker.write_text(str(stamp))
    return [paths[isa] for isa in stale]


if __name__ == "__main__":
    for built in build(force="--force" in sys.argv):
        sys.stdout.write(f"built {built.name}\n")
