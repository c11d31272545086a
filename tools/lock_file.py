"""Reads a hashed requirement file: what is locked, with which hashes, asked for by whom."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = ROOT / "requirements.txt"
_PIN: Final = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9.-]*)(?:\[[^]]*\])?==(?P<version>[^\s;]+)(?:\s*;\s*(?P<marker>.*?))?\s*\\?$"
)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Locked:
    """One package of the lock.

    Attributes
    ----------
    marker : str
        On which platforms it is installed; empty means on all.
    sha256 : tuple[str, ...]
        Of its files, one for each platform, sorted.
    wanted_by : tuple[str, ...]
        Packages of the lock that need it; `tapelog` for our own.
    """

    name: str
    version: str
    marker: str
    sha256: tuple[str, ...]
    wanted_by: tuple[str, ...]


def read(path: Path = LOCK) -> list[Locked]:
    """Return every package, by name; raises `ValueError` for one that has no hash."""
    found: list[Locked] = []
    blocks = re.split(r"^(?=[a-z0-9][a-z0-9.-]*(?:\[|==))", path.read_text(), flags=re.MULTILINE)
    for block in blocks:
        first, *rest = block.splitlines() or [""]
        pin = _PIN.match(first)
        if pin is None:
            continue
        hashes = tuple(sorted(_HASH.findall(block)))
        if not hashes:
            raise ValueError(f"{pin['name']} in {path.name} has no hash: run `make lock`")
        wanted: list[str] = []
        for line in rest:
            comment = re.match(r"\s+#\s+(?:via\s+)?(.*)$", line)
            if comment and comment[1] and comment[1] != "via":
                word = comment[1].split()[0]
                wanted.append("tapelog" if "pyproject.toml" in comment[1] else word)
        marker = (pin["marker"] or "").rstrip(" \\")
        found.append(Locked(pin["name"], pin["version"], marker, hashes, tuple(sorted(set(wanted)))))
    return sorted(found, key=lambda item: item.name)
