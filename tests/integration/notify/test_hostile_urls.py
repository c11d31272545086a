"""Sixty-odd URLs that mean to reach what only this network sees: every connection attempt of the process is counted."""

import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from ipaddress import ip_address

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from tapelog_chassis.clock import SystemClock
from tapelog_notify.adapters.webhook_client import WebhookClient
from tapelog_notify.domain.errors import InvalidValue
from tapelog_notify.testing_endpoint import Receiver, Reply

LITERALS = (
    # Loopback, and this network.
    "https://127.0.0.1/",
    "https://127.0.0.1:8443/",
    "https://127.255.255.254/",
    "https://0.0.0.0/",
    "https://0.1.2.3/",
    "https://[::1]/",
    "https://[::]/",
    "https://localhost/",
    "https://localhost:8443/",
    # Private, carrier, link-local, metadata.
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://168.63.129.16/",
    "https://[fe80::1]/",
    "https://[fe80::1%25lo]/",
    "https://[fd00:ec2::254]/",
    "https://[fc00::1]/",
    "https://metadata/computeMetadata/v1/",
    # IPv4 inside IPv6: mapped, compatible, NAT64, 6to4, Teredo.
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    # Multicast, broadcast, reserved, documentation.
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://240.0.0.1/",
    "https://[ff02::1]/",
    "https://192.0.2.1/",
    # Numbers in other clothes.
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.0.1./",
    "https://0/",
    "https://①②⑦.0.0.1/",
    "https://127。0。0。1/",
    "https://１２７.0.0.1/",
    # Tricks with user names, dots, escapes, ports, schemes.
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1@example.com/",
    "https://example.com\\@127.0.0.1/",
    "https://example.com%00.127.0.0.1/",
    "https://localhost./",
    "https://example.com./",
    "https://example.com:22/",
    "http://example.com/",
    "gopher://127.0.0.1:6379/_PING",
    "file:///etc/passwd",
    "https://[::1",
    "https://example.com#@127.0.0.1/",
    "//127.0.0.1/",
)

ANSWERS = (
    "0.0.0.0",  # noqa: S104 - an answer to be refused, nothing binds to it
    "127.0.0.1", "127.8.8.8", "::1", "::", "10.9.8.7", "172.20.0.1", "192.168.0.1", "169.254.169.254",
    "100.100.100.200", "168.63.129.16", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::1", "2001::1", "224.0.0.251", "255.255.255.255", "::127.0.0.1", "198.18.0.1",
)  # fmt: skip

REDIRECTS = (
    (301, "http://127.0.0.1:{port}/"),
    (302, "http://2130706433:{port}/"),
    (303, "http://[::ffff:127.0.0.1]:{port}/"),
    (307, "//localhost:{port}/"),
    (308, "http://user@127.0.0.1:{port}/"),
)

_watching: list[list[object]] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and event == "socket.connect":
        _watching[-1].append(arguments[1])


sys.addaudithook(_audit)


class Answers(AbstractResolver):
    """A name server that gives one answer after another, the last one for ever; on the canary's port."""

    def __init__(self, answers: Sequence[str], port: int) -> None:
        self._answers = list(answers)
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the next answer."""
        del family, port
        address = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        kind = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
        return [ResolveResult(hostname=host, host=address, port=self._port, family=kind, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def attempts() -> Iterator[list[object]]:
    """Count the addresses that any socket of this process is told to connect to."""
    counted: list[object] = []
    _watching.append(counted)
    yield counted
    _watching.remove(counted)


@pytest.fixture
async def canary() -> AsyncIterator[Receiver]:
    """Listen where nobody may come."""
    async with Receiver() as receiver:
        yield receiver


async def test_the_count_counts(attempts: list[object], canary: Receiver) -> None:
    """A client that may reach this machine does, and is counted: so zero means zero below."""
    async with WebhookClient(allow_loopback=True, clock=SystemClock()) as client:
        assert (await client.post(canary.url, b"{}", {})).status == 204
    assert attempts == [("127.0.0.1", canary.port)]
    assert len(canary.received) == 1


async def test_no_url_leads_to_a_connection(attempts: list[object]) -> None:
    """Neither at registration nor, for one registered under older rules, at delivery."""
    async with WebhookClient(allow_loopback=False, clock=SystemClock()) as client:
        for url in LITERALS:
            with pytest.raises(InvalidValue):
                await client.check(url)
            answer = await client.post(url, b"{}", {})
            assert (answer.status, bool(answer.error)) == (0, True), url
    assert attempts == []


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_no_answer_of_a_name_server_leads_to_a_connection(
    attempts: list[object], canary: Receiver, scheme: str
) -> None:
    """The address that a connection is about to leave for is judged, whoever resolved it."""
    for address in ANSWERS:
        resolver = Answers([address], canary.port)
        async with WebhookClient(allow_loopback=False, clock=SystemClock(), resolver=resolver) as client:
            answer = await client.post(f"{scheme}://hooks.example.com/", b"{}", {})
        assert (answer.status, bool(answer.error)) == (0, True), address
    assert attempts == []
    assert canary.received == []


async def test_a_name_that_is_rebound_after_the_check_leads_to_none(attempts: list[object], canary: Receiver) -> None:
    """Public while it is checked, loopback when it is used: the address that is connected to is the checked one."""
    resolver = Answers(["1.1.1.1", "127.0.0.1"], canary.port)
    async with WebhookClient(allow_loopback=False, clock=SystemClock(), resolver=resolver) as client:
        await client.check("https://hooks.example.com/")
        answer = await client.post("https://hooks.example.com/", b"{}", {})
    assert "127.0.0.1 is not on the public internet (loopback)" in answer.error
    assert (attempts, canary.received) == ([], [])


async def test_no_redirect_is_followed(attempts: list[object], canary: Receiver) -> None:
    """Whatever the status and however the place is written, one connection is made: to the endpoint itself."""
    for status, location in REDIRECTS:
        where = location.format(port=canary.port)
        async with (
            Receiver(usual=Reply(status, headers={"location": where})) as endpoint,
            WebhookClient(allow_loopback=True, clock=SystemClock()) as client,
        ):
            attempts.clear()
            answer = await client.post(endpoint.url, b"{}", {})
            assert answer.error == f"HTTP {status}: redirects are not followed, register the final URL"
            assert attempts == [("127.0.0.1", endpoint.port)]
    assert canary.received == []


def test_there_are_sixty() -> None:
    """Fewer rows would be a weaker promise than the one that is made."""
    assert len({*LITERALS, *ANSWERS, *(where for _, where in REDIRECTS)}) >= 60
