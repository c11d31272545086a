"""Whatever a header says, it is a layout within the file or a typed error."""

import io
import struct
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from tapelog_desk.errors import SourceError
from tapelog_desk.files.sniff import READABLE, sniff
from tapelog_desk.files.wav import read_layout

WORDS = st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 2, 16, 40, 0xFFFFFFFF, 0xFFFFFFF8, 0x7FFFFFFF]))
CHUNKS = st.tuples(
    st.sampled_from([b"fmt ", b"data", b"ds64", b"LIST", b"JUNK", b"fact"]), WORDS, st.binary(max_size=60)
)
FORMATS = st.tuples(
    st.sampled_from([0, 1, 3, 6, 0xFFFE]),
    st.integers(0, 65_535),
    WORDS,
    WORDS,
    st.integers(0, 65_535),
    st.integers(0, 70),
).map(lambda fields: struct.pack("<HHIIHH", *fields))


@given(
    st.sampled_from([b"RIFF", b"RIFX", b"RF64", b"BW64"]),
    st.lists(st.one_of(CHUNKS, FORMATS.map(lambda body: (b"fmt ", len(body), body))), max_size=8),
)
def test_any_chunks_are_a_layout_or_a_source_error(magic: bytes, chunks: list[tuple[bytes, int, bytes]]):
    """No size, codec or channel count makes the reader look outside the file."""
    raw = magic + b"\0\0\0\0WAVE" + b"".join(kind + struct.pack("<I", size) + body for kind, size, body in chunks)
    try:
        layout = read_layout(io.BytesIO(raw), 0, "x")
    except SourceError:
        return
    assert layout.channels > 0
    assert 1 <= layout.sample_bytes <= 8
    end = layout.data_offset + layout.length_frames * layout.channels * layout.sample_bytes
    assert layout.length_frames >= 0
    assert end <= max(len(raw), layout.data_offset)


@given(st.binary(max_size=200))
def test_any_bytes_are_recognised_or_refused(raw: bytes):
    """The sniffer never raises anything but its own error."""
    with suppress(SourceError):
        assert sniff(io.BytesIO(raw), "x").container in READABLE
