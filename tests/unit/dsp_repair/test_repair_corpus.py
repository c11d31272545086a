"""The repairs on real recordings: damaged ones with their clean originals, and clean ones that must not change."""

from typing import Any

import numpy as np
import pytest
from tapelog_dsp.repair import clean
from tapelog_dsp.repair.testing import sdr_db

FLOORS_DB = {
    "strings__oldrecord.flac": ("rumble", 8.5),
    "strings__surface.flac": ("rumble", 8.0),
    "strings__clicks.flac": ("click", 6.0),
    "strings__clip.flac": ("clip", 5.6),
    "singing__hum50.flac": ("hum", 20.0),
    "singing__hiss.flac": ("noise", 3.5),
    "singing__dropouts.flac": ("dropout", 3.0),
    "singing__dc.flac": ("dc", 40.0),
    "trumpet__hum60.flac": ("hum", 20.0),
    "trumpet__clip.flac": ("clip", 10.0),
    "trumpet__crackle.flac": ("click", 6.0),
    "popvocal__livemess.flac": ("hum", 10.0),
    "popvocal__white.flac": ("noise", 4.0),
}
"""Per damaged recording: a tool that has to act (none: nothing may change), and the least gain of `clean`."""


@pytest.mark.parametrize("name", FLOORS_DB)
def test_damaged_recording_gets_better(corpus: Any, name: str):
    """The whole chain wins at least the floor, and the tool for the damage is among those that acted."""
    damaged, original, sample_rate = corpus.pair(name)
    result = clean(damaged, sample_rate)
    tool, floor_db = FLOORS_DB[name]
    acted = [report.tool for report in result.reports if report.applied]
    assert acted == [] if tool is None else tool in acted
    assert sdr_db(original, result.audio) - sdr_db(original, damaged) >= floor_db


@pytest.mark.parametrize(
    "name",
    [
        "restoration/strings__clean.flac",
        "restoration/singing__clean.flac",
        "restoration/trumpet__clean.flac",
        "restoration/popvocal__clean.flac",
        "masters/hires_96k24.flac",
        "multitrack/eif_lithium/06_BGVOX_HARMONY_GLITCH.flac",
        "multitrack/eif_potassium/08_KICK_HATS.flac",
        "multitrack/band_rock120/12_Bass_DI.flac",
    ],
)
def test_clean_recording_is_left_alone(corpus: Any, name: str):
    """The clean recordings that come nearest to a gate come out as the very same array."""
    samples, sample_rate = corpus.read(name)
    result = clean(samples, sample_rate)
    assert result.audio is samples


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_every_clean_recording_is_left_alone(corpus: Any):
    """All masters, stems and clean recordings of the corpus come out as the very same array."""
    names = [
        str(path.relative_to(corpus.folder))
        for pattern in ("masters/*", "multitrack/*/*.flac", "restoration/*clean*.flac")
        for path in sorted(corpus.folder.glob(pattern))
    ]
    assert names
    changed = []
    for name in names:
        samples, sample_rate = corpus.read(name)
        result = clean(samples, sample_rate)
        if result.audio is not samples or not np.isfinite(result.audio).all():
            changed.append((name, [report.reason for report in result.reports if report.applied]))
    assert changed == []
