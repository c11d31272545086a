"""A broker user who is revoked is out within seconds, and stays out; nobody else notices."""

import sys
import time
from pathlib import Path

import pytest
from tapelog_chassis.nats import SERVICES, NatsError, NatsIdentity, Unreachable, connected, subscriber
from tapelog_chassis.nats.revoked import REVOKED_USERS_FILE, read_revoked, revoke_users, user_key_of
from tapelog_chassis.testing import embedded_nats, eventually
from tapelog_cli.commands.access import revoke


async def test_a_revoked_user_is_out_at_once_and_after_a_restart(tmp_path: Path) -> None:
    """`tapelog access revoke U…`: the open connection ends, none is made anew; others of the same rights stay."""
    async with embedded_nats(tmp_path) as broker:
        creds, others = (broker.server.identity.mint_user("sub-1", subscriber("sub-1", "sub-1")) for _ in range(2))
        session = await broker.connect("session")
        async with (
            connected(broker.url, name="sub-1", creds=creds) as outsider,
            connected(broker.url, name="sub-1", creds=others) as other,
        ):
            begun_s = time.monotonic()
            assert revoke(user_key_of(creds), data_dir=tmp_path) == 0
            await eventually(lambda: not outsider.is_connected)
            took_s = time.monotonic() - begun_s
            assert [(client.is_connected, client.stats["reconnects"]) for client in (session, other)] == [(True, 0)] * 2
        with pytest.raises(Unreachable):
            async with connected(broker.url, name="sub-1", creds=creds):
                pass
        await broker.kill()
        with pytest.raises(Unreachable):
            async with connected(broker.url, name="sub-1", creds=creds):
                pass
        async with connected(broker.url, name="sub-1", creds=others) as other:
            assert other.is_connected
    sys.stdout.write(f"a revoked user's connection ended after {took_s:.2f} s\n")


def test_the_list_is_private_and_refuses_what_is_no_user(tmp_path: Path) -> None:
    """A key is noted once, with its time; a damaged list is refused instead of letting everybody in again."""
    identity = NatsIdentity.create(tmp_path)
    user = user_key_of(identity.mint_user("render", SERVICES["render"]))
    keys = tmp_path / "keys"
    assert dict(revoke_users(keys, [user])) == dict(revoke_users(keys, [user])) == read_revoked(keys)
    assert (keys / REVOKED_USERS_FILE).stat().st_mode & 0o077 == 0
    assert NatsIdentity.create(tmp_path).trust.account_jwt != identity.trust.account_jwt
    assert NatsIdentity.create(tmp_path).trust.operator_jwt == identity.trust.operator_jwt
    with pytest.raises(NatsError, match="not the public key"):
        revoke_users(keys, ["pty-ana"])
    with pytest.raises(NatsError, match="not a creds file"):
        user_key_of("nothing")
    (keys / REVOKED_USERS_FILE).write_text("[]")
    with pytest.raises(NatsError, match="damaged"):
        NatsIdentity.create(tmp_path)
