"""Broadcast tags and cue sheets, byte by byte and against another reader."""

import json
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog_interchange import (
    Bext,
    CueSheet,
    CueTrack,
    Ixml,
    NotPossibleError,
    RefusedError,
    changed_ixml,
    decode_bext,
    decode_ixml,
    encode_bext,
    encode_ixml,
    read_bext,
    read_cue,
    read_ixml,
    write_cue,
    write_with_tags,
)

FULL = Bext("Lead vox, take 3", "Tapelog", "TL-1", "2026-05-17", "14:03:00", 2_646_000_123, bytes(range(64)),
            -14.03, 6.5, -1.05, -9.87, -11.2, "A=PCM,F=48000,W=24,M=stereo,T=Tapelog")  # fmt: skip


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """Return a short 24-bit file with an odd number of sample bytes."""
    path = tmp_path / "a.wav"
    samples = np.sin(np.arange(4_801) / 7)
    soundfile.write(path, samples, 48_000, subtype="PCM_24")
    return path


def tagged(source: Path, tags: dict[bytes, bytes]) -> Path:
    """Return a copy with tags."""
    target = source.with_name("tagged.wav")
    with target.open("wb") as sink:
        write_with_tags(source, sink, tags)
    return target


def test_bext_layout():
    """Every field stands where EBU Tech 3285 v2 puts it."""
    body = encode_bext(FULL)
    assert body[:16] == b"Lead vox, take 3"
    assert body[256:263] == b"Tapelog"
    assert body[320:330] == b"2026-05-17"
    assert body[330:338] == b"14:03:00"
    assert struct.unpack_from("<IIH", body, 338) == (2_646_000_123, 0, 2)
    assert body[348:412] == bytes(range(64))
    assert struct.unpack_from("<5h", body, 412) == (-1403, 650, -105, -987, -1120)
    assert body[602:] == b"A=PCM,F=48000,W=24,M=stereo,T=Tapelog\r\n"


def test_bext_round_trip():
    """What is written is read; what is not said stays unsaid."""
    assert decode_bext(encode_bext(FULL)) == FULL
    assert decode_bext(encode_bext(Bext())) == Bext()


def test_a_chunk_of_version_0():
    """Old recorders write 602 bytes without loudness: the reserve is no number."""
    body = bytearray(encode_bext(FULL))
    struct.pack_into("<H", body, 346, 0)
    old = decode_bext(bytes(body))
    assert (old.integrated_lufs, old.umid, old.time_reference_frames) == (None, b"", 2_646_000_123)


def test_another_program_reads_the_tags(wav: Path):
    """The FFmpeg tools find the fields and decode the same samples."""
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    path = tagged(wav, {b"bext": encode_bext(FULL), b"iXML": encode_ixml(Ixml(scene="7"))})
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", path]
    found = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    tags = found["format"]["tags"]
    assert tags["time_reference"] == "2646000123"
    assert (tags["comment"], tags["encoded_by"], tags["date"]) == ("Lead vox, take 3", "Tapelog", "2026-05-17")
    assert found["streams"][0]["duration_ts"] == 4_801


def test_samples_and_other_chunks_stay(wav: Path):
    """Tags are put before the samples; the samples are the same bytes, and tags can be replaced and taken out."""
    before, _ = soundfile.read(wav, dtype="int32")
    once = tagged(wav, {b"bext": encode_bext(FULL), b"iXML": encode_ixml(Ixml(take="3", tracks=("L", "R")))})
    assert np.array_equal(soundfile.read(once, dtype="int32")[0], before)
    assert read_bext(once) == FULL
    assert read_ixml(once) == Ixml(take="3", tracks=("L", "R"))
    assert struct.unpack_from("<I", once.read_bytes(), 4)[0] == once.stat().st_size - 8
    twice = once.with_name("twice.wav")
    with twice.open("wb") as sink:
        write_with_tags(once, sink, {b"bext": encode_bext(Bext(description="new")), b"iXML": b""})
    assert (read_bext(twice), read_ixml(twice)) == (Bext(description="new"), None)
    assert np.array_equal(soundfile.read(twice, dtype="int32")[0], before)


@pytest.mark.parametrize(
    "bad",
    [
        Bext(description="x" * 257), Bext(originator="x" * 33), Bext(origination_date="17.5.2026"),
        Bext(origination_time="2 pm"), Bext(time_reference_frames=-1), Bext(integrated_lufs=float("-inf")),
        Bext(integrated_lufs=float("nan")), Bext(umid=bytes(65)),
    ],
)  # fmt: skip
def test_fields_that_do_not_fit(bad: Bext):
    """Nothing is cut off silently."""
    with pytest.raises(NotPossibleError):
        encode_bext(bad)


def test_damaged_files(tmp_path: Path, wav: Path):
    """No WAV, a short bext, a hostile iXML: typed errors."""
    path = tmp_path / "b.wav"
    path.write_bytes(b"hello")
    with pytest.raises(RefusedError, match="no WAV file"):
        read_bext(path)
    with pytest.raises(RefusedError, match="at least 346"):
        read_bext(tagged(wav, {b"bext": b"short!"}))
    with pytest.raises(RefusedError, match="document type"):
        read_ixml(tagged(wav, {b"iXML": b"<!DOCTYPE a []><BWFXML/>"}))
    body = bytearray(tagged(wav, {b"bext": encode_bext(FULL)}).read_bytes())
    at = body.index(b"bext")
    body[at + 4 : at + 8] = b"\xff\xff\xff\x7f"
    path.write_bytes(body)
    assert read_bext(path) is not None  # what is there is read, whatever the size declares
    path.write_bytes(b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 2_000)
    with pytest.raises(RefusedError, match="more than 1000 chunks"):
        read_bext(path)


def test_ixml_round_trip_and_change(wav: Path):
    """Fields come back; changing one keeps what another program wrote."""
    full = Ixml(
        "Record",
        "7",
        "3",
        "A1",
        "good one",
        circled=True,
        tracks=("Boom", "Lav & Co"),
        sample_rate_hz=48_000,
        time_reference_frames=(5 << 32) + 9,
    )
    assert decode_ixml(encode_ixml(full), "a") == full
    foreign = b"<BWFXML><SCENE>1</SCENE><USER>keep me</USER></BWFXML>\0\0"
    changed = changed_ixml(tagged(wav, {b"iXML": foreign}), {"scene": "2", "note": "louder"})
    assert b"<USER>keep me</USER>" in changed
    assert decode_ixml(changed, "a") == Ixml(scene="2", note="louder")


def test_cue_round_trip():
    """Titles with quotes, performers, codes and starts come back."""
    songs = (CueTrack("Say 'yes'", 0), CueTrack("Two", 14_077, "Someone", "DEA123456789"))
    sheet = CueSheet("album.wav", songs, "Album", "Band")
    text = write_cue(sheet)
    assert "INDEX 01 03:07:52" in text
    assert read_cue(text.encode(), "a.cue") == sheet


@pytest.mark.parametrize(
    "text",
    ["", "FILE a WAVE", "FILE a WAVE\nTRACK 01 AUDIO\nINDEX 01 00:61:00",
     "FILE a WAVE\nTRACK 01 AUDIO\nINDEX 01 0:0:75",
     "FILE a WAVE\nFILE b WAVE\nTRACK 01 AUDIO\nINDEX 01 00:00:00"],
)  # fmt: skip
def test_broken_cue_sheets(text: str):
    """Damage ends in a typed error."""
    with pytest.raises(RefusedError):
        read_cue(text.encode(), "a.cue")
