"""The example subscribers, as processes of their own, against the real service."""

import asyncio
import json
import os
import re
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tapelog_notify.domain.signature import format_secret, signed_headers
from tapelog_notify.testing import NotifyClient, Recorder

EXAMPLES = Path(__file__).parents[3] / "examples" / "subscribers"
SECRET = bytes(range(32))
RUNNERS = {".py": sys.executable, ".mjs": "node", ".sh": "sh"}
RECEIVERS = ("webhook_receiver.py", "webhook_receiver.mjs")


@asynccontextmanager
async def example(name: str, *arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run an example until the block ends; skips where what runs it is not installed."""
    runner = RUNNERS[Path(name).suffix]
    if shutil.which(runner) is None:
        pytest.skip(f"{runner} is not installed here, which {name} needs")
    process = await asyncio.create_subprocess_exec(
        runner,
        str(EXAMPLES / name),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def lines_of(process: asyncio.subprocess.Process, count: int) -> list[str]:
    """Read lines of standard output."""
    assert process.stdout is not None
    async with asyncio.timeout(20.0):
        return [(await process.stdout.readline()).decode().strip() for _ in range(count)]


async def url_of(process: asyncio.subprocess.Process) -> str:
    """Read where the receiver listens."""
    assert process.stderr is not None
    async with asyncio.timeout(20.0):
        found = re.search(r"http://\S+", (await process.stderr.readline()).decode())
    assert found is not None
    return found[0]


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Post and return the status."""
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - a loopback URL of this test
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - the same
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("name", RECEIVERS)
async def test_the_receiver_takes_what_the_service_sends(name: str, notify: NotifyClient, recorder: Recorder) -> None:
    """Events reach the example receiver, which verifies them by itself, in order."""
    async with example(name, "--port", "0", TAPELOG_WEBHOOK_SECRET=format_secret(SECRET)) as receiver:
        url = await url_of(receiver)
        await notify.create(url, secret=format_secret(SECRET), types=["tapelog.song.*"])
        await recorder.append(count=3)
        printed = [json.loads(line) for line in await lines_of(receiver, 3)]
    assert [item["id"] for item in printed] == [event.event_id for event in recorder.appended]


@pytest.mark.parametrize("name", RECEIVERS)
async def test_the_receiver_refuses_what_is_not_genuine(name: str) -> None:
    """A wrong secret, a request of ten minutes ago, and a changed body get 401; a repeat is accepted and not shown."""
    async with example(name, "--port", "0", TAPELOG_WEBHOOK_SECRET=format_secret(SECRET)) as receiver:
        url = await url_of(receiver)
        now_s = int(datetime.now(UTC).timestamp())
        body = json.dumps({"id": "evt-1", "type": "t", "position": "1"}).encode()
        other = json.dumps({"id": "evt-2", "type": "t", "position": "2"}).encode()
        good = signed_headers(SECRET, "evt-1", now_s, body)
        attempts = [
            (body, signed_headers(bytes(32), "evt-1", now_s, body)),
            (body, signed_headers(SECRET, "evt-1", now_s - 600, body)),
            (body + b" ", good),
            (body, {}),
            (body, good),
            (body, {**good, "webhook-signature": f"v1,AAAA {good['webhook-signature']}"}),
            (other, signed_headers(SECRET, "evt-2", now_s, other)),
        ]
        codes = [await asyncio.to_thread(post, url, sent, headers) for sent, headers in attempts]
        printed = [json.loads(line)["id"] for line in await lines_of(receiver, 2)]
    assert codes == [401, 401, 401, 401, 204, 204, 204]
    assert printed == ["evt-1", "evt-2"]


async def test_the_nats_tool_reads_its_consumer(notify: NotifyClient, recorder: Recorder, tmp_path: Path) -> None:
    """The example tool gets the stage events, with nothing but what CreateSubscription answered."""
    created = await notify.create(types=["tapelog.song.stage_*"])
    creds = tmp_path / "tool.creds"
    creds.write_text(created.nats_credentials)
    await recorder.append()
    events = [await recorder.advance_stage(), await recorder.advance_stage("sng-2")]
    options = {
        "--url": created.nats_url,
        "--creds": str(creds),
        "--inbox": created.nats_inbox_prefix,
        "--consumer": created.subscription.nats.consumer,
        "--count": "2",
    }
    async with example("nats_consumer.py", *(text for pair in options.items() for text in pair)) as tool:
        printed = await lines_of(tool, 2)
        async with asyncio.timeout(10.0):
            assert await tool.wait() == 0
    assert [line.split(" ", 3)[:3] for line in printed] == [
        [event.event_id, event.type, event.metadata.song] for event in events
    ]


async def test_the_grpc_follower_prints_what_matches(notify: NotifyClient, recorder: Recorder) -> None:
    """The example follower gets the stage events from the first on, and ends after as many as it was told."""
    await recorder.append()
    events = [await recorder.advance_stage(), await recorder.advance_stage("sng-2")]
    token = notify.tokens.token("ana", tenant_roles=["AUDITOR"])
    arguments = ["--address", notify.address, "--type", "tapelog.song.stage_*", "--count", "2"]
    async with example("grpc_follow.py", *arguments, TAPELOG_TOKEN=token) as follower:
        printed = await lines_of(follower, 2)
        async with asyncio.timeout(10.0):
            assert await follower.wait() == 0
    assert [line.split()[0] for line in printed] == [event.event_id for event in events]


async def test_grpcurl_prints_what_matches(notify: NotifyClient, recorder: Recorder, path_with_grpcurl: str) -> None:
    """The shell example prints the stage events from the first on, with their payloads readable."""
    await recorder.append()
    events = [await recorder.advance_stage(), await recorder.advance_stage("sng-2")]
    token = notify.tokens.token("ana", tenant_roles=["AUDITOR"])
    printed = ""
    arguments = (notify.address, "tapelog.song.stage_*", "0")
    async with example("grpcurl_follow.sh", *arguments, TAPELOG_TOKEN=token, PATH=path_with_grpcurl) as follower:
        assert follower.stdout is not None
        async with asyncio.timeout(20.0):
            while events[-1].event_id not in printed:
                printed += (await follower.stdout.readline()).decode()
    assert events[0].event_id in printed
    assert "tapelog.session.v1.StageAdvanced" in printed


async def test_the_shell_example_says_what_it_lacks() -> None:
    """Without an address or a token it ends with what to set, before anything is called."""
    async with example("grpcurl_follow.sh", TAPELOG_TOKEN="") as process:
        _, errors = await process.communicate()
        assert process.returncode != 0
        assert "address of the notify service" in errors.decode()
    async with example("grpcurl_follow.sh", "127.0.0.1:1", TAPELOG_TOKEN="") as process:
        _, errors = await process.communicate()
        assert process.returncode != 0
        assert "tapelog token" in errors.decode()


@pytest.mark.parametrize("name", ["webhook_receiver.mjs", "webhook_receiver.py", "nats_consumer.py", "grpc_follow.py"])
async def test_help_shows_how_to_call_it(name: str) -> None:
    """Each example explains itself."""
    async with example(name, "--help") as process:
        output, _ = await process.communicate()
        assert process.returncode == 0
    assert re.search(rf"(python|node) {name}", output.decode())
