"""Reports of versions and deliveries, made by `tapelog report` in a process of its own.

The page knows no audio: what measures it is the command that people have at their desks, so that both reports are one.
It asks the services as the person who reads the page.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog

from tapelog_console.errors import ReportNotMade
from tapelog_console.identity.cookies import SignedIn

AT_ONCE: Final = 1
"""Reports made at a time: each decodes and measures two files, with the processor that renders need more."""
MADE_S_MAX: Final = 90.0
"""A song of ten minutes and the version before it take a tenth of it; less than a token lives."""
WAITED_S_MAX: Final = 60.0
"""How long a person waits for their turn."""
PAGE_BYTES_MAX: Final = 4 * 2**20
"""A report is promised to stay under 1.5 MB."""
SAID_BYTES_MAX: Final = 64 * 1024
KEPT_MAX: Final = 16
"""Reports kept, some 100 kB each, as long as their song has not moved on."""
NICENESS: Final = 10

_log = structlog.get_logger(__name__)


class Reports:
    """Makes and keeps reports.

    Parameters
    ----------
    services : Mapping[str, str]
        What a profile of the command line says: session, render, notify, and tls_ca, certificate and key where there
        are any.
    scratch : Path
        Folder for the audio that is measured; made when the first report is.
    """

    def __init__(self, services: Mapping[str, str], scratch: Path) -> None:
        self._services = dict(services)
        self._scratch = scratch
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._kept: OrderedDict[tuple[str, str, frozenset[str], str, int], bytes] = OrderedDict()

    async def of(self, person: SignedIn, token: str, kind: str, name: str, sequence: int) -> bytes:
        """Return a report as HTML.

        Parameters
        ----------
        token : str
            The person's own, for the services.
        kind : str
            "version" or "delivery".
        name : str
            Resource name.
        sequence : int
            Of the song: a report is made anew when the song has moved on.

        Raises
        ------
        ReportNotMade
            With what the command said.
        """
        key = (person.tenant, person.party, frozenset(person.tenant_roles), name, sequence)
        if key not in self._kept:
            try:
                async with asyncio.timeout(WAITED_S_MAX):
                    await self._turn.acquire()
            except TimeoutError:
                raise ReportNotMade("Other reports are being made.") from None
            try:
                if key not in self._kept:
                    self._kept[key] = await self._make(token, kind, name)
            finally:
                self._turn.release()
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return self._kept[key]

    async def _make(self, token: str, kind: str, name: str) -> bytes:
        await asyncio.to_thread(self._scratch.mkdir, mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch, prefix="report-") as folder:
            made, profiles = Path(folder, "report.html"), Path(folder, "profiles.toml")
            await asyncio.to_thread(profiles.write_text, self._profile())
            ended, said = await _run(
                ["report", f"--{kind}", name, "-o", str(made), "--json"],
                folder,
                {"TAPELOG_PROFILES": str(profiles), "TAPELOG_PROFILE": "console", "TAPELOG_TOKEN": token},
            )
            page = await asyncio.to_thread(_read, made)
        if ended != 0 or not page:
            _log.warning("a report was not made", name=name, ended=ended, said=said[-2_000:])
            raise ReportNotMade(_why(said))
        if len(page) > PAGE_BYTES_MAX:
            raise ReportNotMade(f"It has more than {PAGE_BYTES_MAX // 2**20} MiB.")
        return page

    def _profile(self) -> str:
        lines = [f"{service} = {json.dumps(address)}" for service, address in self._services.items()]
        return "\n".join(["[console]", *lines, ""])


async def _run(words: list[str], folder: str, settings: Mapping[str, str]) -> tuple[int, str]:
    """Run a `tapelog` command in a folder; return how it ended and what it said on standard error."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAPELOG_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # the folder it is started in holds no code of ours
        "-m",
        "tapelog_cli",
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**environment, **settings, "TMPDIR": folder},
        cwd=folder,
    )
    try:
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        async with asyncio.timeout(MADE_S_MAX):
            said = await _tail(process)
            return await process.wait(), said
    except TimeoutError:
        raise ReportNotMade(f"It was not made within {MADE_S_MAX:g} s.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _read(path: Path) -> bytes:
    """Return a file's bytes, one more than a report may have at most; nothing of a file that is not there."""
    try:
        with path.open("rb") as file:
            return file.read(PAGE_BYTES_MAX + 1)
    except FileNotFoundError:
        return b""


async def _tail(process: asyncio.subprocess.Process) -> str:
    """Return the last of what a process says, while it runs."""
    said = b""
    assert process.stderr is not None  # noqa: S101 - it was asked for
    while part := await process.stderr.read(SAID_BYTES_MAX):
        said = (said + part)[-SAID_BYTES_MAX:]
    return said.decode(errors="replace")


def _why(said: str) -> str:
    """Return the message of the command's error; nothing of what is no such error."""
    try:
        return str(json.loads(said.strip().splitlines()[-1])["message"])
    except (ValueError, KeyError, IndexError, TypeError):
        return "The command that makes it failed."
