"""What is measured of a file on arrival: noise floor by its definition, hum that was put in, the time reference."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog.common.v1 import audio_pb2 as pb
from tapelog_desk import analyze_file, probe_file
from tapelog_desk.arrival import ArrivalMeter
from tapelog_dsp.repair.testing import sung_phrases, with_hum

RATE_HZ = 48_000


def _speech(seconds: float = 6.0) -> np.ndarray:
    """Return bursts of noise at -20 dBFS with pauses of a second at -80 dBFS."""
    rng = np.random.default_rng(3)
    frames = round(seconds * RATE_HZ)
    gate = np.where(np.arange(frames) // RATE_HZ % 2 == 0, 0.1, 0.0001)
    return rng.standard_normal((1, frames)) * gate


@pytest.mark.parametrize("size", [333, 4_800, 10**9])
def test_the_noise_floor_is_that_of_the_pauses(size: int) -> None:
    """Any block size finds the level of the pauses, which is known, and the level of the whole."""
    samples = _speech()
    meter = ArrivalMeter(pb.AudioFormat(sample_rate_hz=RATE_HZ, channels=1))
    for start in range(0, samples.shape[1], size):
        meter.add(samples[:, start : start + size])
    numbers = pb.Measurements()
    meter.result(numbers)
    assert numbers.noise_floor_dbfs == pytest.approx(-80.0, abs=0.5)
    assert numbers.rms_dbfs == pytest.approx(10 * np.log10(np.square(samples).mean()), abs=1e-6)
    assert (numbers.HasField("hum_dbfs"), numbers.hum_searched_s) == (False, 6.0)


def test_notes_that_ring_out_are_no_noise_floor() -> None:
    """Plucked notes, each 40 dB down when the next begins, have no floor; with tape hiss under them they have its."""
    time_s = np.arange(8 * RATE_HZ) / RATE_HZ
    plucked = (0.3 * np.sin(2 * np.pi * 220 * time_s) * 10 ** (-2.0 * (time_s % 1.0)))[None]
    hiss = 0.005 * np.random.default_rng(4).standard_normal(plucked.shape)
    pause = np.where(time_s % 4 > 3, 0.0, 1.0)
    for samples, floor in ((plucked, None), (plucked * pause + hiss, -46.0)):
        meter = ArrivalMeter(pb.AudioFormat(sample_rate_hz=RATE_HZ, channels=1))
        meter.add(samples)
        numbers = pb.Measurements()
        meter.result(numbers)
        found = numbers.noise_floor_dbfs if numbers.HasField("noise_floor_dbfs") else None
        assert found == (None if floor is None else pytest.approx(floor, abs=0.5))


def test_hum_that_was_put_in_is_found_with_its_frequency(tmp_path: Path) -> None:
    """A file with mains hum 20 dB under the music is measured as such; without the hum, none is found."""
    clean = sung_phrases(12.0, rate=RATE_HZ, channels=1)
    for name, samples in (("clean", clean), ("hum", with_hum(clean, below_db=20.0, rate=RATE_HZ))):
        soundfile.write(tmp_path / f"{name}.wav", samples.T, RATE_HZ, subtype="PCM_24")
    assert not analyze_file(tmp_path / "clean.wav").audio.measurements.HasField("hum_dbfs")
    found = analyze_file(tmp_path / "hum.wav").audio.measurements
    assert found.hum_hz == pytest.approx(50.0, abs=0.1)
    assert found.hum_dbfs == pytest.approx(found.rms_dbfs - 20.0, abs=2.0)


def test_short_and_silent_files_have_no_such_measurements(tmp_path: Path) -> None:
    """Digital silence has no noise floor, and two seconds are not searched for hum."""
    soundfile.write(tmp_path / "x.wav", np.zeros(2 * RATE_HZ), RATE_HZ, subtype="PCM_24")
    found = analyze_file(tmp_path / "x.wav").audio.measurements
    absent = ("noise_floor_dbfs", "rms_dbfs", "hum_dbfs", "hum_hz", "hum_searched_s")
    assert not any(found.HasField(field) for field in absent)


@pytest.mark.parametrize(("body", "start"), [(602, 172_800_000 + 7), (300, None)])
def test_the_time_reference_is_read_from_the_broadcast_extension(tmp_path: Path, body: int, start: int | None) -> None:
    """Frames from midnight stand in the chunk at byte 338; a chunk that is cut off says nothing."""
    path = tmp_path / "x.wav"
    soundfile.write(path, np.zeros(100), RATE_HZ, subtype="PCM_24")
    plain = path.read_bytes()
    value = struct.pack("<Q", 172_800_000 + 7)
    chunk = (b"\0" * 338 + value + b"\0" * 256)[:body]
    data = plain[:12] + b"bext" + struct.pack("<I", len(chunk)) + chunk + plain[12:]
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    found = probe_file(path)
    assert (found.start_frame if found.HasField("start_frame") else None) == start
