"""Repair of a recording that lies in a file: the same samples as in memory, whatever is read at a time."""

from pathlib import Path

import numpy as np
import pytest
from tapelog_desk.recording import FileStore
from tapelog_dsp import Audio
from tapelog_dsp.repair import clean_store
from tapelog_dsp.repair.store import ArrayStore, Store, blocks
from tapelog_dsp.repair.testing import (
    clipped,
    sung_phrases,
    with_clicks,
    with_hum,
    with_noise,
    with_plosives,
    with_rumble,
)

RATE = 16_000
SECONDS = 31.0
EVERYTHING = {
    "tape": ("dc", "rumble", "click", "hum", "noise"),
    "voice": ("plosive", "dropout", "dc"),
    "loud": ("clip", "click", "dropout"),
}


@pytest.fixture(scope="module", params=EVERYTHING)
def damaged(request: pytest.FixtureRequest) -> tuple[Audio, tuple[str, ...]]:
    """Return a voice with several defects, and the tools that find them."""
    voice = sung_phrases(SECONDS, rate=RATE)
    if request.param == "tape":
        worn, _ = with_clicks(with_rumble(with_noise(with_hum(voice, rate=RATE), snr_db=22.0), rate=RATE))
        return worn + 0.03, EVERYTHING["tape"]
    if request.param == "voice":
        breath = with_plosives(voice, rate=RATE)
        breath[:, 5 * RATE : 5 * RATE + 300] = breath[:, 130_900:131_200] = 0.0
        return breath + 0.0, EVERYTHING["voice"]
    return with_clicks(clipped(voice)[0])[0], EVERYTHING["loud"]


def whole(store: Store) -> bytes:
    """Return all samples."""
    return np.concatenate([block for _, block in blocks(store)], axis=1).tobytes()


def test_what_is_read_at_a_time_cannot_be_heard(damaged: tuple[Audio, tuple[str, ...]], tmp_path: Path):
    """Blocks of an odd length or all at once, in memory or in files, give the same bits."""
    samples, tools = damaged
    mended, reports = clean_store(ArrayStore(samples, samples.shape[1]), RATE, tools)
    assert any(report.applied for report in reports)
    other = FileStore(tmp_path, *samples.shape)
    other.write(0, samples)
    for store in (ArrayStore(samples, 7_001), other):
        got, said = clean_store(store, RATE, tools)
        assert whole(got) == whole(mended)
        assert [(one.tool, one.applied, one.changed_frames, one.finding.spans) for one in said] == [
            (one.tool, one.applied, one.changed_frames, one.finding.spans) for one in reports
        ]
        for one in {got, store}:
            one.close()
    assert list(tmp_path.iterdir()) == []
