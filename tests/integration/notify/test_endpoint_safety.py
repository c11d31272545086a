"""Connections that must not be made: counted at a canary on this machine."""

import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from tapelog_chassis.clock import SystemClock
from tapelog_notify.adapters.webhook_client import AddressRefusedError, PinnedResolver, WebhookClient
from tapelog_notify.domain.errors import InvalidValue
from tapelog_notify.testing_endpoint import Receiver, Reply


class LyingResolver(AbstractResolver):
    """Answers with this machine, as a name server does that changes its answer after the check."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return 127.0.0.1."""
        del family
        return [
            ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0),
        ]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
async def canary() -> AsyncIterator[Receiver]:
    """Listen, and remember every request."""
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def strict() -> AsyncIterator[WebhookClient]:
    """Make a client as production has it."""
    async with WebhookClient(allow_loopback=False, clock=SystemClock()) as client:
        yield client


@pytest.mark.parametrize(
    "host",
    ["localhost", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.1", "0", "127.0.0.1", "::1", "①②⑦.0.0.1"],
)
async def test_names_and_numbers_that_mean_this_machine_are_refused(host: str) -> None:
    """However the system's resolver reads them, the address is what counts; a name that means nothing fails too."""
    with pytest.raises((AddressRefusedError, socket.gaierror, UnicodeError)) as caught:
        await PinnedResolver(allow_loopback=False).resolve(host, 443)
    if host in {"localhost", "2130706433", "0x7f.1", "127.1", "127.0.0.1", "::1"}:
        assert isinstance(caught.value, AddressRefusedError)


async def test_the_address_that_is_connected_to_is_the_one_that_is_checked(canary: Receiver) -> None:
    """A name server that turns to loopback after every check gets no connection made."""
    async with WebhookClient(allow_loopback=False, clock=SystemClock(), resolver=LyingResolver()) as client:
        answer = await client.post("https://rebind.example.com:8443/", b"{}", {})
    assert answer.status == 0
    assert "127.0.0.1 is not on the public internet (loopback)" in answer.error
    assert canary.received == []


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "[::ffff:127.0.0.1]", "127.1", "0"])
async def test_a_stored_url_is_held_to_todays_rules(
    strict: WebhookClient, canary: Receiver, scheme: str, host: str
) -> None:
    """What was registered under other settings is refused at the moment of sending, without a connection."""
    url = f"{scheme}://{host}:{canary.port}/hook"
    answer = await strict.post(url, b"{}", {})
    assert (answer.status, canary.received) == (0, [])
    assert answer.error
    with pytest.raises(InvalidValue):
        await strict.check(url)


async def test_a_redirect_to_this_machine_is_not_followed(canary: Receiver) -> None:
    """The answer 307 with a Location is a failure that says what to do."""
    async with (
        Receiver(Reply(307, headers={"location": canary.url})) as redirecting,
        WebhookClient(allow_loopback=True, clock=SystemClock()) as client,
    ):
        answer = await client.post(redirecting.url, b"{}", {})
    assert (answer.status, answer.error) == (307, "HTTP 307: redirects are not followed, register the final URL")
    assert canary.received == []


async def test_proxies_of_the_environment_are_not_used(canary: Receiver) -> None:
    """A proxy variable does not send deliveries, or their secrets, elsewhere."""
    async with Receiver() as proxy, WebhookClient(allow_loopback=True, clock=SystemClock()) as client:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("http_proxy", proxy.url)
            answer = await client.post(canary.url, b"{}", {"webhook-id": "evt-1"})
    assert answer.status == 204
    assert (len(canary.received), proxy.received) == (1, [])
    assert canary.received[0].headers["accept-encoding"] == "identity"
