"""Bad input to the running system: each a clear typed error with the value, nothing lost, nothing half done."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import Tapelog
from tapelog_client.errors import Aborted, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied

from .conftest import System
from .studio import RATE_HZ, Studio, open_studio, write_stem

REQUEST_ID = "3f2b8c1e-5d4a-4e6f-9a7b-0c1d2e3f4a5b"


@pytest.fixture
async def api(system: System) -> AsyncIterator[Tapelog]:
    """Return a client of the running system."""
    async with system.api("pty-producer") as client:
        yield client


@pytest.fixture
async def studio(api: Tapelog, request: pytest.FixtureRequest) -> Studio:
    """Return a song in RECORDING."""
    return await open_studio(api, request.node.name[:60])


async def _events(studio: Studio) -> list[str]:
    return [event.id async for event in studio.producer.songs.events(studio.song)]


async def test_a_file_that_is_not_audio_is_refused(studio: Studio, tmp_path: Path) -> None:
    """Text under an audio name never becomes an asset."""
    path = tmp_path / "take.wav"
    path.write_text("this is a letter, not a recording\n" * 100)

    with pytest.raises(InvalidArgument) as refused:
        await studio.recording.assets.upload(studio.project, path)

    assert refused.value.reason == "NOT_AUDIO"
    assert "74 68 69 73" in refused.value.message


async def test_a_truncated_file_is_refused_or_fails_its_check(studio: Studio, tmp_path: Path) -> None:
    """A WAV whose header promises more than there is cannot be selected."""
    whole = write_stem(tmp_path / "whole.wav", seed=1, length_s=2.0)
    cut = tmp_path / "cut.wav"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    with pytest.raises(InvalidArgument) as refused:
        await studio.recording.assets.upload(studio.project, cut)

    assert "truncated" in refused.value.message.lower() or "TRUNCATED" in refused.value.reason


async def test_a_stem_with_nan_fails_its_arrival_check(studio: Studio, tmp_path: Path) -> None:
    """The check counts the samples that are no numbers, and the take cannot be selected."""
    samples = np.zeros(RATE_HZ, dtype=np.float32)
    samples[1000:1007] = np.nan
    path = tmp_path / "nan.wav"
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    await studio.recording.takes.define_track(studio.song, "lead", "Lead")

    take = await studio.recording.takes.record(studio.song, "lead", path)
    song = await studio.recording.takes.wait_checked(studio.song)

    assert song.takes[0].check_state == res.TAKE_CHECK_STATE_FAILED
    assert any("7" in finding for finding in song.takes[0].findings)
    with pytest.raises(FailedPrecondition):
        await studio.producer.takes.select(studio.song, "lead", take.id)


async def test_a_wrong_role_is_told_which_roles_may(studio: Studio) -> None:
    """The mixing engineer cannot move the stage; the message says who can, and nothing was recorded."""
    before = await _events(studio)

    with pytest.raises(PermissionDenied) as refused:
        await studio.mixing.stages.advance(studio.song, res.STAGE_MIXING)

    assert "STUDIO_PRODUCER" in refused.value.message.upper().replace(" ", "_")
    assert await _events(studio) == before


async def test_somebody_outside_the_project_is_refused(studio: Studio, api: Tapelog) -> None:
    """A party without a role in the project may not read the song."""
    with pytest.raises((PermissionDenied, NotFound)):
        await api.as_party("pty-stranger").songs.get(studio.song)


async def test_a_stale_etag_is_aborted(studio: Studio) -> None:
    """A change made against an older state is refused; with the current etag it goes through."""
    old = await studio.producer.songs.get(studio.song)
    await studio.recording.takes.define_track(studio.song, "lead", "Lead")

    with pytest.raises(Aborted) as refused:
        await studio.recording.takes.define_track(studio.song, "bass", "Bass", etag=old.etag)

    assert refused.value.reason == "ETAG_MISMATCH"
    current = await studio.producer.songs.get(studio.song)
    await studio.recording.takes.define_track(studio.song, "bass", "Bass", etag=current.etag)


async def test_a_repeated_request_id_gives_the_first_answer(studio: Studio) -> None:
    """The same request twice is one song; with another body it is refused and changes nothing."""
    first = await studio.producer.songs.create(
        studio.project, "Twice", sample_rate_hz=RATE_HZ, bit_depth=24, request_id=REQUEST_ID
    )
    again = await studio.producer.songs.create(
        studio.project, "Twice", sample_rate_hz=RATE_HZ, bit_depth=24, request_id=REQUEST_ID
    )
    assert first == again

    with pytest.raises(InvalidArgument) as refused:
        await studio.producer.songs.create(
            studio.project, "Other title", sample_rate_hz=RATE_HZ, bit_depth=24, request_id=REQUEST_ID
        )
    assert refused.value.reason == "REQUEST_ID_REUSED"
    assert [song.title async for song in studio.producer.songs.list(studio.project)].count("Twice") == 1


async def test_a_closed_gate_lists_everything_that_is_missing(studio: Studio) -> None:
    """Every unmet condition comes in one answer, so that nobody has to try again and again."""
    await studio.recording.takes.define_track(studio.song, "lead", "Lead")
    await studio.recording.takes.define_track(studio.song, "bass", "Bass")

    with pytest.raises(FailedPrecondition) as refused:
        await studio.producer.stages.advance(studio.song, res.STAGE_MIXING)

    assert len(refused.value.violations) >= 2
    assert (await studio.producer.songs.get(studio.song)).stage == res.STAGE_RECORDING
