"""The whole list of hostile archives and XML, read by a process of its own: refused, soon, in little memory."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from . import hostile

REFUSED_S_MAX = 4.0
"""Processor time of one refusal; half a second at most on a quiet machine."""
GROWN_MIB_MAX = 64.0
"""Most of it is the tree of 650,000 elements, which a session may have."""
MAY_BE_READ = {"size too small", "size too large", "zip64 of 2^62", "name with NUL", "document type in UTF-7"}
"""What lies about something that is not believed anyway: read whole, or refused, and nothing between."""


class _Canary:
    """Listens, and counts who comes."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.2)
        self.address = "{}:{}".format(*self._listener.getsockname())
        self.visits = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                visitor, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.visits += 1
            visitor.close()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._listener.close()


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Return what the child said of each file, and of its memory; nobody came to the canary."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "canary.txt").write_text(hostile.CANARY)
    canary = _Canary()
    try:
        for name, (make, _) in hostile.ZIPS.items():
            (folder / f"{_slug(name)}.dawproject").write_bytes(make())
        for name, (make, _) in hostile.XMLS.items():
            text = make().replace(b"FOLDER", str(folder).encode()).replace(b"ADDRESS", canary.address.encode())
            (folder / f"{_slug(name)}.dawproject").write_bytes(hostile.zipped(project__xml=text))
        child = subprocess.run(
            [sys.executable, hostile.__file__, str(folder)], capture_output=True, text=True, timeout=100, check=False
        )
        assert child.returncode == 0, child.stderr
        assert hostile.CANARY not in child.stdout
        told = [json.loads(line) for line in child.stdout.splitlines()]
        yield {"grown_mib": told[-1]["grown_mib"], **{one["file"]: one for one in told[:-1]}}
        assert canary.visits == 0
    finally:
        canary.close()


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else f"-{ord(letter):x}" for letter in name)


@pytest.mark.parametrize(("name", "why"), [(name, why) for name, (_, why) in (hostile.ZIPS | hostile.XMLS).items()])
def test_it_is_refused_with_a_reason(name: str, why: str, answers: dict[str, Any]):
    """One typed error that says what is wrong and what to do, within moments."""
    answer = answers[_slug(name)]
    problem, remedy = answer["said"]
    assert answer["took_s"] < REFUSED_S_MAX
    if name in MAY_BE_READ and problem == "accepted":
        return
    assert why in problem
    assert remedy


def test_memory_stays_small(answers: dict[str, Any]):
    """All of it, one after the other in one process."""
    assert answers["grown_mib"] < GROWN_MIB_MAX
