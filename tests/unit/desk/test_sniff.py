"""What a file is, by its first bytes."""

import io

import pytest
from tapelog_desk.errors import SourceError
from tapelog_desk.files.sniff import Sniffed, sniff

REST = bytes(64)


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (b"RIFF\x24\0\0\0WAVEfmt ", "wav"),
        (b"RIFX\0\0\0\x24WAVEfmt ", "wav"),
        (b"RF64\xff\xff\xff\xffWAVEds64", "wav"),
        (b"BW64\xff\xff\xff\xffWAVEds64", "wav"),
        (b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0", "w64"),
        (b"FORM\0\0\0\x24AIFFCOMM", "aiff"),
        (b"FORM\0\0\0\x24AIFCFVER", "aiff"),
        (b"fLaC\0\0\0\x22", "flac"),
        (b"OggS" + bytes(24) + b"\x01vorbis", "ogg"),
        (b"OggS" + bytes(24) + b"OpusHead", "ogg"),
        (b"\xff\xfb\x90\x64", "mp3"),
    ],
)
def test_what_is_read_is_recognised(head: bytes, container: str):
    """Every container of the allow-list is known by its magic."""
    assert sniff(io.BytesIO(head + REST), "x") == Sniffed(container, 0)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"\0\0\0\x20ftypM4A ", "SOURCE_FORMAT_REFUSED"),
        (b"\xff\xf1\x50\x80", "SOURCE_FORMAT_REFUSED"),
        (b"caff\0\x01", "SOURCE_FORMAT_REFUSED"),
        (b".snd\0\0\0\x18", "SOURCE_FORMAT_REFUSED"),
        (b"RIFF\x24\0\0\0AVI LIST", "SOURCE_FORMAT_REFUSED"),
        (b"PK\x03\x04", "SOURCE_FORMAT_REFUSED"),
        (b"\x89PNG\r\n", "SOURCE_FORMAT_REFUSED"),
        (b"hello, this is text", "SOURCE_NOT_AUDIO"),
        (b"OggS" + bytes(24) + b"\x80theora", "SOURCE_NOT_AUDIO"),
        (b"\xff\xfb\xf0\x64", "SOURCE_NOT_AUDIO"),
    ],
)
def test_what_is_not_read_is_refused_by_name(head: bytes, reason: str):
    """Known formats outside the list are told from bytes that are no audio."""
    with pytest.raises(SourceError) as caught:
        sniff(io.BytesIO(head + REST), "x")
    assert caught.value.reason == reason


def test_an_empty_file_is_refused():
    """0 bytes have their own reason."""
    with pytest.raises(SourceError, match="0 bytes"):
        sniff(io.BytesIO(b""), "x")


def test_a_leading_tag_is_stepped_over():
    """A WAV behind an ID3 tag is found where it starts."""
    tag = b"ID3\x04\0\0" + bytes([0, 0, 1, 0]) + bytes(128)
    assert sniff(io.BytesIO(tag + b"RIFF\x24\0\0\0WAVEfmt " + REST), "x") == Sniffed("wav", len(tag))


def test_a_tag_beyond_reason_is_refused():
    """A tag that claims 256 MB is not skipped over."""
    with pytest.raises(SourceError) as caught:
        sniff(io.BytesIO(b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + REST), "x")
    assert caught.value.reason == "SOURCE_TOO_LARGE"
