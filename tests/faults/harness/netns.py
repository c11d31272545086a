"""A network namespace with one link to this machine, which a test can take down. Needs root and `ip`."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import pytest

from .disks import run

TOOLS: Final = ("ip",)
_numbers: Final = itertools.count(1)


@dataclass(frozen=True)
class Island:
    """A namespace and its link.

    Attributes
    ----------
    name : str
    host_address : str
        The address of this machine on the link.
    """

    name: str
    host_address: str
    _link: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """Return the command that runs another one there."""
        return ("ip", "netns", "exec", self.name)

    def cut(self) -> None:
        """Take the link down: nothing passes, and nobody is told."""
        run("ip", "link", "set", self._link, "down")

    def mend(self) -> None:
        """Take it up again."""
        run("ip", "link", "set", self._link, "up")


@contextmanager
def island() -> Iterator[Island]:
    """Make a namespace with a link of its own to this machine."""
    number = next(_numbers)
    tag = f"tl{os.getpid() % 100_000}x{number}"
    subnet = f"10.{200 + os.getpid() % 50}.{number}"
    made = Island(f"{tag}n", f"{subnet}.1", f"{tag}h")
    try:
        run("ip", "netns", "add", made.name)
    except OSError as failure:
        pytest.skip(f"cannot make a network namespace: {failure}")
    try:
        run("ip", "link", "add", made._link, "type", "veth", "peer", "name", f"{tag}i")
        run("ip", "link", "set", f"{tag}i", "netns", made.name)
        run("ip", "addr", "add", f"{subnet}.1/30", "dev", made._link)
        run("ip", "link", "set", made._link, "up")
        for command in (
            ("ip", "addr", "add", f"{subnet}.2/30", "dev", f"{tag}i"),
            ("ip", "link", "set", f"{tag}i", "up"),
            ("ip", "link", "set", "lo", "up"),
        ):
            run(*made.prefix, *command)
        yield made
    finally:
        with contextlib.suppress(OSError):
            run("ip", "netns", "delete", made.name)
