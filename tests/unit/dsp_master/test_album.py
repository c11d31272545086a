"""Album mode: one drive, and the distances between the songs stay."""

import numpy as np
import pytest
from tapelog_dsp import AlbumAim, AlbumSong, Audio, AudioError, LoudnessMeter, ParameterError, limit_blocks, pooled_lufs
from tapelog_dsp.master.album import solve_album
from tapelog_dsp.processors.limiter import TruePeakLimiter
from tapelog_dsp.testing import programme, tone

RATE = 48_000


def song(samples: Audio, trim_db: float = 0.0) -> AlbumSong:
    """Return a song of an array."""
    return AlbumSong(lambda: iter([samples]), trim_db)


ALBUM = (0.5 * programme(6.0, seed=1), 0.2 * programme(9.0, seed=2), tone([(6, -24.0)]))


@pytest.mark.parametrize("mode", ["album", "loudest"])
def test_the_album_reaches_its_loudness_with_one_drive(mode: str):
    """The pooled loudness, or the loudest song's, is within 0.1 LU of the target, measured anew; ceilings hold."""
    aim = AlbumAim(-16.0, mode)
    found = solve_album([song(samples) for samples in ALBUM], sample_rate=RATE, aim=aim)
    assert found.feasible
    meters = []
    for samples in ALBUM:
        meter = LoudnessMeter(RATE, 2)
        for block in limit_blocks([samples], sample_rate=RATE, drive_db=found.drive_db):
            meter.add(block)
        meters.append(meter)
    loudness = [meter.result().integrated_lufs for meter in meters]
    reached = pooled_lufs(meters) if mode == "album" else max(loudness)
    assert reached == pytest.approx(-16.0, abs=0.1)
    assert found.album_lufs == pytest.approx(reached, abs=1e-9)
    assert [one.loudness.integrated_lufs for one in found.after] == pytest.approx(loudness, abs=1e-9)
    assert max(one.true_peak.max_dbtp for one in found.after) <= -0.95


def test_distances_stay():
    """Where nothing is limited every song moves by the drive: the steps are 0."""
    found = solve_album([song(samples) for samples in ALBUM], sample_rate=RATE, aim=AlbumAim(-30.0))
    assert found.steps_lu == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)


def test_trims():
    """A song with a trim of 3 dB stands 3 dB higher against the others."""
    plain = solve_album([song(samples) for samples in ALBUM], sample_rate=RATE, aim=AlbumAim(-30.0))
    trims = (0.0, 3.0, 0.0)
    pairs = zip(ALBUM, trims, strict=True)
    trimmed = solve_album([song(*pair) for pair in pairs], sample_rate=RATE, aim=AlbumAim(-30.0))
    moved = [
        b.loudness.integrated_lufs - a.loudness.integrated_lufs for a, b in zip(plain.after, trimmed.after, strict=True)
    ]
    assert moved[1] - moved[0] == pytest.approx(3.0, abs=1e-6)
    assert trimmed.feasible


def test_out_of_reach():
    """A target beyond the limiter's allowance is refused with the loudness that is reached."""
    found = solve_album(
        [song(samples) for samples in ALBUM], sample_rate=RATE, aim=AlbumAim(-4.0, reduction_max_db=3.0),
        limiter=TruePeakLimiter(-1.0),
    )  # fmt: skip
    assert not found.feasible
    assert f"{found.album_lufs:.2f} LUFS" in found.limit


def test_unusable_albums():
    """No song, a silent album, a song without blocks and a wrong mode are refused."""
    with pytest.raises(ParameterError, match="songs"):
        solve_album([], sample_rate=RATE, aim=AlbumAim(-14.0))
    with pytest.raises(AudioError, match="gate"):
        solve_album([song(np.zeros((2, RATE)))], sample_rate=RATE, aim=AlbumAim(-14.0))
    with pytest.raises(AudioError, match="song 1"):
        solve_album([AlbumSong(lambda: iter([]))], sample_rate=RATE, aim=AlbumAim(-14.0))
    with pytest.raises(ParameterError):
        AlbumAim(-14.0, "mixtape")
