"""Archives and XML from strangers are refused with a reason, before anything of them is used."""

import struct
import time
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest
from tapelog_interchange import Archive, RefusedError, read_dawproject
from tapelog_interchange.archive import is_plain_name
from tapelog_interchange.limits import ARCHIVE_ENTRIES_MAX
from tapelog_interchange.safe_xml import parse_xml

PROJECT = b'<Project version="1.0"><Application name="x" version="1"/></Project>'


def packed(path: Path, **entries: bytes) -> Path:
    """Write a ZIP with these entries; `__` stands for a dot."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in entries.items():
            archive.writestr(name.replace("__", "."), body)
    return path


def refused(path: Path) -> str:
    """Return why a file is refused as DAWproject."""
    with pytest.raises(RefusedError) as caught, Archive(path) as archive:
        read_dawproject(archive)
    assert caught.value.remedy
    return caught.value.problem


def test_no_zip(tmp_path: Path):
    """Text with the right extension is refused."""
    path = tmp_path / "a.dawproject"
    path.write_bytes(b"hello" * 100)
    assert "cannot be opened as a ZIP" in refused(path)


def test_a_zip_without_a_project(tmp_path: Path):
    """A ZIP of other things is named as such."""
    assert "has no 'project.xml'" in refused(packed(tmp_path / "a.dawproject", metadata__xml=b"<MetaData/>"))


def test_a_bomb_is_cut_at_the_budget(tmp_path: Path):
    """An entry that unpacks to a thousand times its size is read to its limit and no further."""
    path = packed(tmp_path / "a.dawproject", project__xml=b" " * (80 * 1024 * 1024))
    assert path.stat().st_size < 200_000
    tracemalloc.start()
    begun = time.process_time()
    assert "more than 67108864 bytes" in refused(path)
    assert time.process_time() - begun < 5
    assert tracemalloc.get_traced_memory()[1] < 160 * 1024 * 1024
    tracemalloc.stop()


def test_a_lying_size_changes_nothing(tmp_path: Path):
    """An entry whose header declares 1 byte still cannot give more than the limit, nor less than it has."""
    path = packed(tmp_path / "a.dawproject", project__xml=PROJECT)
    body = bytearray(path.read_bytes())
    at = body.index(b"PK\x01\x02")
    body[at + 24 : at + 28] = struct.pack("<I", 1)
    path.write_bytes(body)
    with pytest.raises(RefusedError), Archive(path) as archive:
        read_dawproject(archive)


def test_an_entry_twice(tmp_path: Path):
    """Two projects in one archive: neither is chosen."""
    path = tmp_path / "a.dawproject"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("project.xml", PROJECT)
        archive.writestr("project.xml", PROJECT)
    assert "twice" in refused(path)


def test_too_many_entries(tmp_path: Path):
    """A central directory of more entries than a session has is refused."""
    path = tmp_path / "a.dawproject"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(ARCHIVE_ENTRIES_MAX + 1):
            archive.writestr(f"audio/{number}", b"")
    assert "10001 entries" in refused(path)


def test_encrypted_links_and_odd_methods(tmp_path: Path):
    """What a session never has: an encrypted entry, a link, another packing."""
    path = packed(tmp_path / "a.dawproject", project__xml=PROJECT)
    body = bytearray(path.read_bytes())
    at = body.index(b"PK\x01\x02")
    body[at + 8] |= 1
    path.write_bytes(body)
    assert "encrypted" in refused(path)
    link = zipfile.ZipInfo("audio/a.wav")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "a link" in refused(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("project.xml", PROJECT)
    assert "method 14" in refused(path)


def test_overlapping_entries(tmp_path: Path):
    """Entries that share their bytes, as in bombs, are refused."""
    path = packed(tmp_path / "a.dawproject", project__xml=PROJECT, other__xml=PROJECT)
    body = bytearray(path.read_bytes())
    second = body.index(b"PK\x01\x02", body.index(b"PK\x01\x02") + 4)
    body[second + 42 : second + 46] = struct.pack("<I", 5)
    path.write_bytes(body)
    assert "overlap" in refused(path)


@pytest.mark.parametrize(
    "name",
    ["../x", "/abs", "a/../../b", "a\\..\\b", "C:/x", "file://x", "a\x01b", "x" * 2_000, ""],
)
def test_names_that_leave_the_archive(name: str):
    """No name can become a path outside; they are refused, not cleaned."""
    assert not is_plain_name(name)


def test_plain_names():
    """What programs write is allowed."""
    assert is_plain_name("audio/Lead Vox (2).wav")
    assert is_plain_name("plugins/0b3c.vstpreset")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'<!DOCTYPE p [<!ENTITY a "b">]><Project>&a;</Project>', "document type"),
        (b'<!DOCTYPE p SYSTEM "file:///etc/passwd"><Project/>', "document type"),
        (b"<a>" * 100 + b"</a>" * 100, "deeper than"),
        (b"<a><b></a>", "not well-formed"),
        (b"\xff\xfe\x00", "not well-formed"),
        (b"", "not well-formed"),
        (b"<?xml version='1.0' encoding='no-such'?><a/>", "not well-formed"),
    ],
)
def test_hostile_xml(text: bytes, why: str):
    """Entities, depth and damage end in one typed error."""
    with pytest.raises(RefusedError, match=why):
        parse_xml(text, "project.xml")


def test_a_project_of_another_kind(tmp_path: Path):
    """An XML with another root is no session."""
    assert "<Project>" in refused(packed(tmp_path / "a.dawproject", project__xml=b"<Song/>"))
