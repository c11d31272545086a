"""W1 from FLAC stems, which both sides decode with libsndfile: most of the time is no longer ours to save."""

from typing import Any

import pytest

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3_000)]


def test_w1_from_flac(race: Any) -> None:
    """32 tracks with full strips, four buses, a reverb, a mastering chain, a 24-bit file out."""
    session = ["w1", "data/f", "32", str(race.seconds), "OUT"]
    theirs = [race.peer_python, "peer_pedalboard_stream.py", *session, "2"]
    assert race.compare("W1 from FLAC", "pedalboard, streamed", [*race.ours, *session], theirs) > 1.0
