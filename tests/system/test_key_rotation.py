"""New keys for a whole system that stands still: it starts, verifies, and goes on."""

import subprocess
import sys
from pathlib import Path

import pytest
from tapelog_cli.exit_codes import ExitCode

from tests.faults.harness.battery import Row

from .conftest import clean_environment, kill_tree, start_system
from .studio import open_studio

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
COMMAND_S = 240


def tapelog(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    command = [sys.executable, "-m", "tapelog_cli", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=COMMAND_S, check=False, env=clean_environment()
    )


async def test_anchors_and_broker_get_new_keys(tmp_path: Path, row: Row) -> None:
    """Refused while it runs; stopped, all keys are replaced; then every fact is there, verified with both keys."""
    data, kept = tmp_path / "data", tmp_path / "kept"
    keys = {"anchors": data / "anchor-keys", "broker": data / "nats" / "keys"}
    facts: list[str] = []
    for turn in range(2):
        system = start_system(data, "embedded")
        try:
            async with system.api("pty-producer") as api:
                studio = await open_studio(api, f"Turn {turn}")
                facts += [event.id async for event in studio.producer.songs.events(studio.song)]
                for of in keys:
                    refused = tapelog("access", "rotate-key", "--of", of, "--data-dir", data)
                    assert refused.returncode != ExitCode.OK, refused.stdout
        finally:
            system.process.terminate()
            assert system.process.wait(COMMAND_S) == 0
        for of, folder in keys.items():
            before = {path.name: path.read_bytes() for path in folder.iterdir()}
            done = tapelog("access", "rotate-key", "--of", of, "--data-dir", data)
            assert done.returncode == ExitCode.OK, done.stderr
            now = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".pem", ".nk")}
            assert [name for name, content in now.items() if content == before.get(name)] == []
        kept.mkdir(exist_ok=True)
        for path in (*keys["anchors"].glob("*.pub.pem"), *keys["anchors"].glob("*.handovers.json")):
            (kept / path.name).write_bytes(path.read_bytes())
    system = start_system(data, "embedded")
    try:
        async with system.api("pty-studio-desk", tenant_roles=("AUDITOR",)) as api:
            seen = set()
            async for event in api.events.subscribe(after_position=0):
                seen.add(event.id)
                if seen >= set(facts):
                    break
        verified = tapelog("verify", "--data-dir", data, "--anchor-keys", kept)
        assert verified.returncode == ExitCode.OK, verified.stdout
    finally:
        kill_tree(system.process)
    row(
        "S14 new keys",
        "anchors' keys and the broker's operator and account replaced twice: refused while it runs, nothing lost, "
        "anchors of all keys verify",
        f"{len(facts)} facts, lost 0; verified with the public halves that were kept",
    )
