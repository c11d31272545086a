"""Archives and XML that strangers could send: each file, and what it is refused for; and a child that reads them."""

import io
import json
import struct
import sys
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

PROJECT: Final = b'<Project version="1.0"><Application name="x" version="1"/></Project>'
CANARY: Final = "canary-8c1f"
"""In a file beside the corpus and behind an address: whoever reads either has been fooled."""


def zipped(**entries: bytes) -> bytes:
    """Return a ZIP with these entries; `__` stands for a dot."""
    made = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        for name, body in entries.items():
            archive.writestr(name.replace("__", "."), body)
    return made.getvalue()


def _patched(body: bytes, offset: int, value: bytes) -> bytes:
    """Return a ZIP with bytes of its first central directory record replaced."""
    at = body.index(b"PK\x01\x02") + offset
    return body[:at] + value + body[at + len(value) :]


def _many(count: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number in range(count):
            archive.writestr(f"a/{number}", b"")
    return made.getvalue()


def _link() -> bytes:
    made, link = io.BytesIO(), zipfile.ZipInfo("audio/a.wav")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    return made.getvalue()


def _twice() -> bytes:
    made = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(made, "w") as archive:
        warnings.simplefilter("ignore")
        for _ in range(2):
            archive.writestr("project.xml", PROJECT)
    return made.getvalue()


def _nested(depth: int) -> bytes:
    body = zipped(project__xml=b" " * 2**20)
    for _ in range(depth):
        body = zipped(project__xml=body)
    return body


def _overlapping() -> bytes:
    body = bytearray(zipped(project__xml=PROJECT, other__xml=PROJECT))
    second = body.index(b"PK\x01\x02", body.index(b"PK\x01\x02") + 4)
    body[second + 42 : second + 46] = struct.pack("<I", 5)
    return bytes(body)


def _zip64(size: int) -> bytes:
    """Return a ZIP whose entry says in a zip64 field that it has a size."""
    body = zipped(project__xml=PROJECT)
    at = body.index(b"PK\x01\x02")
    name_length = struct.unpack_from("<H", body, at + 28)[0]
    extra = struct.pack("<HHQ", 1, 8, size)
    head = bytearray(body[at : at + 46])
    head[24:28] = b"\xff" * 4
    head[30:32] = struct.pack("<H", len(extra))
    record = bytes(head) + body[at + 46 : at + 46 + name_length] + extra
    end = bytearray(body[body.index(b"PK\x05\x06") :])
    end[12:16] = struct.pack("<I", len(record))
    return body[:at] + record + bytes(end)


def _laughs() -> bytes:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE p [<!ENTITY l0 "ha">{levels}]><Project>&l9;</Project>'.encode()


def _quadratic() -> bytes:
    return f'<!DOCTYPE p [<!ENTITY a "{"a" * 50_000}">]><Project>{"&a;" * 5_000}</Project>'.encode()


DAMAGED: Final = "well-formed"
DOCTYPE: Final = "document type"

ZIPS: Final[dict[str, tuple[Callable[[], bytes], str]]] = {
    "bomb of 1:1028": (lambda: zipped(project__xml=b" " * (80 * 2**20)), "more than"),
    "bomb of zeros": (lambda: zipped(project__xml=bytes(80 * 2**20)), DAMAGED),
    "nested zip": (lambda: _nested(6), DAMAGED),
    "overlapping entries": (_overlapping, "overlap"),
    "size too small": (lambda: _patched(zipped(project__xml=PROJECT), 24, struct.pack("<I", 1)), ""),
    "size too large": (lambda: _patched(zipped(project__xml=PROJECT), 24, struct.pack("<I", 2**31)), ""),
    "packed size too large": (lambda: _patched(zipped(project__xml=PROJECT), 20, struct.pack("<I", 2**31)), "beyond"),
    "65,536 entries": (lambda: _many(65_536), "65536 entries"),
    "zip64 of 2^62": (lambda: _zip64(2**62), ""),
    "encrypted": (lambda: _patched(zipped(project__xml=PROJECT), 8, b"\x01"), "encrypted"),
    "a link": (_link, "a link"),
    "project.xml twice": (_twice, "twice"),
    "cut in half": (lambda: zipped(project__xml=PROJECT * 100)[:120], "opened as a ZIP"),
    "name with NUL": (lambda: zipped(project__xml=PROJECT).replace(b"project.xml", b"projec\0.xml"), ""),
    "name of 5,000 characters": (lambda: zipped(**{"a" * 5_000: PROJECT}), "outside the archive"),
    **{
        f"name {name!r}": ((lambda name=name: zipped(**{name: PROJECT})), "outside the archive")  # type: ignore[misc]
        for name in ("../../x", "/abs", "a\\..\\b", "C:/x", "file://x", "..", "a/../../b")
    },
}
"""Files of the list B09, and the names of B11; an empty reason is any."""

XMLS: Final[dict[str, tuple[Callable[[], bytes], str]]] = {
    "laughs": (_laughs, DOCTYPE),
    "quadratic": (_quadratic, DOCTYPE),
    "external entity, file": (
        lambda: b'<!DOCTYPE p [<!ENTITY x SYSTEM "file://FOLDER/canary.txt">]><Project>&x;</Project>', DOCTYPE,
    ),
    "external entity, http": (
        lambda: b'<!DOCTYPE p [<!ENTITY x SYSTEM "http://ADDRESS/canary">]><Project>&x;</Project>', DOCTYPE,
    ),
    "external document type": (lambda: b'<!DOCTYPE Project SYSTEM "http://ADDRESS/canary.dtd"><Project/>', DOCTYPE),
    "parameter entities": (
        lambda: b'<!DOCTYPE p [<!ENTITY % a SYSTEM "http://ADDRESS/canary"> %a; %b;]><Project/>', DOCTYPE,
    ),
    "document type in UTF-16": (
        lambda: '<!DOCTYPE p [<!ENTITY a "b">]><Project>&a;</Project>'.encode("utf-16"), DOCTYPE,
    ),
    "document type in UTF-7": (
        lambda: b"<?xml version='1.0' encoding='utf-7'?>+ADwAIQ-DOCTYPE p+AD4-<Project/>", "",
    ),
    "an encoding that is none": (lambda: b"<?xml version='1.0' encoding='no-such'?><Project/>", DAMAGED),
    "entity that is not declared": (lambda: b"<Project>&x;</Project>", DAMAGED),
    "200,000 levels": (lambda: b"<a>" * 200_000, "deeper than"),
    "attribute of 100 MB": (lambda: b'<Project a="' + b"a" * (100 * 2**20) + b'"/>', "tag or comment of more"),
    "comment of 50 MB": (lambda: b"<Project><!--" + b"a" * (50 * 2**20) + b"--></Project>", "tag or comment of more"),
    "1,000,000 siblings": (lambda: b"<Project>" + b"<a/>" * 1_000_000 + b"</Project>", "more than 650000 elements"),
    "10,000 attributes": (
        lambda: b"<Project " + b" ".join(b"a%d='1'" % n for n in range(10_000)) + b"/>", "more than 256 attributes",
    ),
}  # fmt: skip
"""Texts of the list B10, each as `project.xml` of an archive."""


def main(folder: Path) -> None:
    """Read every file of a folder as a session; print a JSON line for each: what it said, how long it took.

    The last line is by how much the memory of the process has grown at its highest.
    """
    from tapelog_interchange import Archive, RefusedError, read_dawproject

    Path("/proc/self/clear_refs").write_text("5")  # the peak so far, which may be the parent's, is forgotten
    begun_mib = _peak_mib()
    for path in sorted(folder.glob("*.dawproject")):
        started_s = time.process_time()
        try:
            with Archive(path) as archive:
                read_dawproject(archive)
            said = ["accepted", ""]
        except RefusedError as refused:
            said = [refused.problem, refused.remedy]
        took_s = time.process_time() - started_s
        sys.stdout.write(json.dumps({"file": path.stem, "said": said, "took_s": took_s}) + "\n")
    sys.stdout.write(json.dumps({"grown_mib": _peak_mib() - begun_mib}) + "\n")


def _peak_mib() -> float:
    """Return the highest resident memory of this process since it was last forgotten."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]))
