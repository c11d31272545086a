"""From mix to master: chain, drive, dither of the result."""

import math

import numpy as np
import pyloudnorm
import pytest
from tapelog_dsp import (
    Audio,
    AudioError,
    Bell,
    Compressor,
    Dither,
    MasterChain,
    MasterSpec,
    ParameterError,
    ParametricEq,
    TruePeakLimiter,
    TruePeakMeter,
    Width,
    limit_blocks,
    solve_drive,
)
from tapelog_dsp.testing import programme

RATE = 48_000


def blocks_of(samples: Audio, frames: int = 4_096):
    """Cut into blocks."""
    return (samples[:, start : start + frames] for start in range(0, samples.shape[1], frames))


@pytest.fixture(scope="module")
def quiet():
    """Return a programme with head-room."""
    return programme(6.0) * 0.35


def test_chain_keeps_length_and_time(quiet: Audio):
    """A chain with latency gives as many frames as it gets, in time, on the float32 grid."""
    chain = MasterChain(MasterSpec(RATE, (Compressor(-1.0, 1.0, lookahead_ms=9.0), Width(1.0))))
    result = np.concatenate(list(chain.blocks(blocks_of(quiet))), axis=1)
    assert (result == quiet.astype(np.float32)).all()


def test_chain_shorter_than_its_latency():
    """A stream shorter than the latency still comes out whole."""
    chain = MasterChain(MasterSpec(RATE, (Compressor(-1.0, 1.0, lookahead_ms=20.0),)))
    samples = np.full((2, 10), 0.5)
    assert (np.concatenate(list(chain.blocks(blocks_of(samples, 3))), axis=1) == samples).all()


def test_chain_reports_its_compressor(quiet: Audio):
    """Telemetry tells how much the glue compressor did."""
    chain = MasterChain(MasterSpec(RATE, (ParametricEq((Bell(200.0, -1.0),)), Compressor(-30.0, 2.0))))
    list(chain.blocks(blocks_of(quiet)))
    assert chain.telemetry()["1.Compressor.gain_reduction_max_db"] > 3.0


@pytest.mark.parametrize("target_lufs", [-23.0, -16.0, -14.0, -12.0])
def test_drive_reaches_the_target(quiet: Audio, target_lufs: float):
    """The master lands within 0.1 LU of its target and under the ceiling, by our meter and by an independent one."""
    solution = solve_drive(lambda: blocks_of(quiet), sample_rate=RATE, target_lufs=target_lufs)
    assert solution.feasible
    assert solution.limit == ""
    assert solution.passes <= 5
    master = np.concatenate(list(limit_blocks(blocks_of(quiet), sample_rate=RATE, drive_db=solution.drive_db)), axis=1)
    assert master.shape == quiet.shape
    other = pyloudnorm.Meter(RATE, filter_class="DeMan").integrated_loudness(master.T)
    assert other == pytest.approx(target_lufs, abs=0.1)
    assert solution.after.loudness.integrated_lufs == pytest.approx(other, abs=0.01)
    meter = TruePeakMeter(RATE, 2)
    meter.add(master)
    assert meter.result() == solution.after.true_peak
    assert meter.result().max_dbtp <= -1.0 + 0.05


def test_drive_that_needs_no_limiting_is_exact(quiet: Audio):
    """A target below the limiter's threshold needs two passes and moves nothing but the level."""
    solution = solve_drive(lambda: blocks_of(quiet), sample_rate=RATE, target_lufs=-28.0)
    assert solution.passes == 2
    assert solution.telemetry["gain_reduction_max_db"] == 0.0
    assert solution.after.loudness.integrated_lufs == pytest.approx(-28.0, abs=0.001)


def test_infeasible_target_says_why(quiet: Audio):
    """A target that would need more limiting than allowed is reported with what can be reached."""
    solution = solve_drive(lambda: blocks_of(quiet), sample_rate=RATE, target_lufs=-6.0, reduction_max_db=6.0)
    assert not solution.feasible
    assert "more than 6 dB off the highest peak" in solution.limit
    assert f"{solution.after.loudness.integrated_lufs:.2f} LUFS under -1 dBTP" in solution.limit
    assert solution.telemetry["gain_reduction_max_db"] == pytest.approx(6.0, abs=0.01)
    assert solution.after.loudness.integrated_lufs < -10.0


def test_silence_is_infeasible():
    """Silence has no loudness to reach."""
    solution = solve_drive(lambda: blocks_of(np.zeros((2, RATE))), sample_rate=RATE, target_lufs=-14.0)
    assert not solution.feasible
    assert "absolute gate" in solution.limit


def test_unusable_arguments(quiet: Audio):
    """An empty source, NaN, a target above full scale and too fine a tolerance are refused."""
    with pytest.raises(AudioError, match="gave no blocks"):
        solve_drive(lambda: iter(()), sample_rate=RATE, target_lufs=-14.0)
    with pytest.raises(AudioError, match="not finite"):
        solve_drive(lambda: iter([np.full((2, 9), math.nan)]), sample_rate=RATE, target_lufs=-14.0)
    with pytest.raises(ParameterError, match="target_lufs"):
        solve_drive(lambda: blocks_of(quiet), sample_rate=RATE, target_lufs=3.0)
    with pytest.raises(ParameterError, match="tolerance_lu"):
        solve_drive(lambda: blocks_of(quiet), sample_rate=RATE, target_lufs=-14.0, tolerance_lu=0.01)


@pytest.mark.parametrize("bits", [16, 24])
def test_dithered_master_stays_under_the_ceiling(quiet: Audio, bits: int):
    """After dither the true peak is still within 0.05 dB of the ceiling and nothing clips."""
    dither = Dither(bits=bits, digest=b"\1" * 32, channels=2)
    meter = TruePeakMeter(RATE, 2)
    limiter = TruePeakLimiter(-1.0)
    for block in limit_blocks(blocks_of(quiet), sample_rate=RATE, drive_db=15.0, limiter=limiter):
        meter.add(dither.process(block)[1])
    assert meter.result().max_dbtp <= -0.95
    assert dither.clipped_samples == 0
