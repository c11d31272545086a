"""`tapelog subscription`, `alert`, `events` and `--profile` against the running service."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook
from tapelog_chassis.testing import eventually
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.main import main
from tapelog_notify.testing import NotifyClient, Recorder
from tapelog_notify.testing_endpoint import Receiver, Reply

FAILED = "tapelog.render_job.render_failed.v1"
RULES = Path(__file__).parents[3] / "examples" / "alerts" / "rules.yaml"
Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def token(notify: NotifyClient, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put a token of an integration into the environment, as a caller of services elsewhere does."""
    text = dict(notify.caller())["authorization"].removeprefix("Bearer ")
    monkeypatch.setenv("TAPELOG_TOKEN", text)
    return text


@pytest.fixture
def tapelog(notify: NotifyClient, token: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in a thread of its own; returns exit code, standard output and standard error."""

    async def run(*line: str, server: bool = True) -> tuple[int, str, str]:
        capsys.readouterr()
        where = ["--server", f"notify={notify.address}"] if server else []
        code = await asyncio.to_thread(main, [*line, *where])
        captured = capsys.readouterr()
        # The service runs in this process and logs to the same place: its lines begin with their time.
        out = "\n".join(text for text in captured.out.splitlines() if not text.startswith("20"))
        return code, out, captured.err

    return run


async def read(run: Run, *line: str) -> Any:
    """Run a command that succeeds, and read its JSON."""
    code, out, error = await run(*line, "--json")
    assert code == ExitCode.OK, error
    return json.loads(out)


async def test_a_webhook_from_creation_to_removal(tapelog: Run, recorder: Recorder) -> None:
    """Created, listed, tested, fed, looked at, its secret replaced, one event and a range again, paused, gone."""
    async with Receiver() as receiver:
        made = await read(
            tapelog, "subscription", "create", "Billing", "--url", receiver.url, "--type", "tapelog.song.*"
        )
        name = made["subscription"]["name"]
        assert made["secret"].startswith("whsec_")
        assert (await tapelog("subscription", "test", name))[0] == ExitCode.OK
        events = await recorder.append(count=2)
        await receiver.wait_for(3)
        for item in receiver.accepted:
            Webhook(made["secret"]).verify(item.body, item.headers)
        (shown,) = await read(tapelog, "subscription", "list")
        assert (shown["name"], shown["title"], shown["state"]) == (name, "Billing", "SUBSCRIPTION_STATE_ACTIVE")
        deliveries = await read(tapelog, "subscription", "deliveries", name)
        assert [item["event_id"] for item in deliveries[:2]] == [event.event_id for event in reversed(events)]
        position = deliveries[0]["position"]
        again = await read(tapelog, "subscription", "redeliver", name, position)
        assert again["event_id"] == events[1].event_id
        code, out, _ = await tapelog("subscription", "replay", name, "--from", "0")
        assert code == ExitCode.OK
        assert [json.loads(line)["event_id"] for line in out.splitlines()] == [event.event_id for event in events]
        rotated = await read(tapelog, "subscription", "rotate", name.removeprefix("subscriptions/"))
        assert rotated["secret"] != made["secret"]
        receiver.replies.append(Reply(500))
        assert (await tapelog("subscription", "test", name))[0] == ExitCode.FAILURE
        paused = await read(tapelog, "subscription", "pause", name, "--reason", "holidays")
        assert paused["state"] == "SUBSCRIPTION_STATE_PAUSED"
        assert (await tapelog("subscription", "resume", name))[1].strip() == f"{name}: active"
    assert (await tapelog("subscription", "delete", name))[0] == ExitCode.OK
    assert await read(tapelog, "subscription", "list") == []
    assert (await tapelog("subscription", "pause", name))[0] == ExitCode.FAILURE


async def test_a_nats_consumer_shows_its_credentials_once(tapelog: Run) -> None:
    """Without a URL; the table of subscriptions names the consumer and no secret."""
    code, out, _ = await tapelog("subscription", "create", "Tool", "--thread", "client")
    assert code == ExitCode.OK
    assert "BEGIN NATS USER JWT" in out
    code, out, _ = await tapelog("subscription", "list")
    assert "NATS consumer sub-" in out
    assert "BEGIN" not in out


async def test_alert_rules_and_alerts(tapelog: Run, recorder: Recorder) -> None:
    """The example rules are added; a failed render is listed, made silent, resolved; a rule is removed."""
    made = await read(tapelog, "alert", "add", str(RULES))
    assert len(await read(tapelog, "alert", "rules")) == len(made) == 7
    await recorder.append("job-1", context="render", type_=FAILED, schema="tapelog.render.v1.RenderFailed")

    async def is_raised() -> bool:
        return len(await read(tapelog, "alert", "list")) == 1

    await eventually(is_raised)
    (alert,) = await read(tapelog, "alert", "list")
    snoozed = await read(tapelog, "alert", "snooze", alert["name"], "--hours", "8", "--reason", "known")
    assert snoozed["state"] == "ALERT_STATE_SNOOZED"
    code, out, _ = await tapelog("alert", "resolve", alert["name"], "--reason", "rendered again")
    assert (code, out.strip()) == (ExitCode.OK, f"{alert['name']}: RESOLVED")
    assert (await tapelog("alert", "remove", made[0]["name"]))[0] == ExitCode.OK
    assert len(await read(tapelog, "alert", "rules")) == 6


async def test_a_replay_prints_the_past_and_ends(tapelog: Run, recorder: Recorder) -> None:
    """Every event up to the last one there is, or to the position that was named."""
    events = [event.event_id for event in await recorder.append(count=5)]

    async def printed(*options: str) -> list[str]:
        code, out, error = await tapelog("events", "replay", *options)
        assert code == ExitCode.OK, error
        return [json.loads(line)["id"] for line in out.splitlines()]

    async def is_published() -> bool:
        return await printed() == events

    await eventually(is_published)
    assert await printed("--from", "1", "--to", "3") == events[1:3]
    assert await printed("--from", "5") == []


async def test_a_profile_says_where_and_as_whom(
    tapelog: Run, notify: NotifyClient, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Address and token file come from a section; what cannot be used ends with 78 and is named."""
    (tmp_path / "token").write_text(token + "\n")
    profiles = tmp_path / "profiles.toml"
    profiles.write_text(
        f'[studio]\nnotify = "{notify.address}"\ntoken_file = "{tmp_path / "token"}"\n[odd]\nnotfy = "x"\n'
        f'[lost]\nnotify = "{notify.address}"\ntoken_file = "{tmp_path / "none"}"\n'
    )
    monkeypatch.setenv("TAPELOG_PROFILES", str(profiles))
    monkeypatch.delenv("TAPELOG_TOKEN")
    code, out, _ = await tapelog("subscription", "list", "--json", "--profile", "studio", server=False)
    assert (code, json.loads(out)) == (ExitCode.OK, [])
    for profile, word in (("odd", "notfy"), ("none", "studio, odd, lost"), ("lost", "token cannot be read")):
        code, _, error = await tapelog("subscription", "list", "--profile", profile, server=False)
        assert code == ExitCode.CONFIG
        assert word in " ".join(error.split())
    for options in (["--server", "notify"], ["--server", f"notify={notify.address}"], []):
        code, _, error = await tapelog("subscription", "list", *options, server=False)
        assert code == ExitCode.USAGE, error
