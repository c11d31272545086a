"""New keys for a real broker: its streams stay, and whatever the keys before sign is worth nothing."""

import shutil
from pathlib import Path

from tapelog_chassis.event_log import AggregateId, Metadata
from tapelog_chassis.nats import NatsIdentity, Unreachable, UserMint, connected
from tapelog_chassis.nats.permissions import SERVICES
from tapelog_chassis.testing import embedded_nats, new_event

WHO = Metadata(actor="pty-ana")


async def is_let_in(url: str, creds: str) -> bool:
    """Say whether a broker takes these credentials."""
    try:
        async with connected(url, name="session", creds=creds):
            return True
    except Unreachable:
        return False


async def test_streams_stay_and_earlier_keys_are_worth_nothing(tmp_path: Path) -> None:
    """Rotated twice: the log goes on each time; credentials from before, and made with stolen keys, are refused."""
    data, stolen, refused = tmp_path / "data", [], []
    for turn in range(3):
        async with embedded_nats(data) as broker:
            log = await broker.log("session")
            assert len([event async for event in log.read_all("session")]) == turn
            await log.append(AggregateId("session", "acme", f"sng-{turn}"), 0, [new_event(f"{turn}")], WHO)
            identity = broker.server.identity
            good = identity.mint_user("session", SERVICES["session"])
            assert await is_let_in(broker.url, good)
            refused += [thief.mint_user("session", SERVICES["session"]) for thief in stolen]
            assert [await is_let_in(broker.url, creds) for creds in refused] == [False] * len(refused)
        refused.append(good)
        for name in ("account", "system", "operator"):
            key = shutil.copy(data / "nats" / "keys" / f"{name}.nk", tmp_path / f"{turn}-{name}.nk")
            if name == "account":
                stolen.append(UserMint.open(Path(key)))
        before = NatsIdentity.create(data / "nats").trust
        after = NatsIdentity.rotate(data / "nats").trust
        assert (after.account, after.system_account) == (before.account, before.system_account)
        assert after.operator_jwt != before.operator_jwt
    assert {path.stat().st_mode & 0o777 for path in (data / "nats" / "keys").iterdir()} == {0o600}
