"""Frames and header fields of HTTP/2 (RFC 9113, RFC 7541), for clients that do what no well-behaved one does."""

import struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7, 0x8, 0x9
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
REFUSED_STREAM: Final = 7
CANCEL: Final = 8
ENHANCE_YOUR_CALM: Final = 11
HEADER: Final = struct.Struct(">HBBBI")
"""A frame's head: length in two parts, kind, flags, stream."""


def frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    """Make a frame."""
    return HEADER.pack(len(body) >> 8, len(body) & 0xFF, kind, flags, stream) + body


def literal(name: str, value: str) -> bytes:
    """Make a header field that is not indexed, without Huffman coding (RFC 7541, 6.2.2)."""
    return b"\x00" + _text(name) + _text(value)


def _text(value: str) -> bytes:
    data = value.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, length = len(data) - 127, b"\x7f"
    while rest >= 128:
        length += bytes([rest % 128 + 128])
        rest //= 128
    return length + bytes([rest]) + data
