"""Header blocks of NATS messages, read by our connection as the client package reads them."""

import pytest
from nats.aio.client import Client
from tapelog_chassis.nats.client import CancellableClient

BLOCKS = [
    b"",
    b"\r\n",
    b"ce-id: 1\r\nce-type: tapelog.song.note_added.v1\r\n\r\n",
    b"Name:Value\r\nTabbed:\tvalue \r\nEmpty:\r\n",
    b"no colon\r\nin side: x\r\n spaced : y\r\n",
    b"n\xc3\xa4me: x\r\nvalue: \xc3\xa4\xff\r\n",
    b"twice: a\r\ntwice: b\r\nurl: nats://host:4222\r\n: nothing\r\n",
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_header_block_is_read_as_the_client_package_reads_it(block: bytes) -> None:
    """The same names and values, twice; a name that is empty is the one thing left out."""
    expected = Client._parse_header_lines(block)
    expected.pop("", None)
    for _ in range(2):
        assert CancellableClient._parse_header_lines(block) == expected
