"""Broken, hostile and absurd files through the engine's child and the arrival path: typed ends, bounded cost."""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from tapelog.render.v1.render_service_pb2 import BatchCreateRenderJobsRequest
from tapelog.render.v1.resources_pb2 import JobState, RenderJob
from tapelog_desk.limits import SAMPLES_MAX

from .arrivals import Tally, arrival_desk
from .hostile_files import Hostile, generated
from .material import analysis_job, put_audio, tone
from .silence_bombs import bombs, flac_of_silence, write
from .studio import running_studio

SOME = (
    "empty", "one frame", "declares 0x7fffffff bytes", "RF64 of 2^62", "65,535 channels", "4294967295 Hz",
    "bext of 4 GiB", "20,000 chunks", "64 channels at 384 kHz", "a tag of 256 MiB", "W64 of 4611686018427387904",
    "AIFF whose rate is no number", "FLAC whose metadata is 16 MiB", "VORBIS with a hole", "OPUS cut off at 30%",
)  # fmt: skip
"""What a commit tries: one of each way to lie."""
BOMB_CPU_MAX_S = 60.0
BOMB_PEAK_MAX_MIB = 256


def _corpus() -> list[Path]:
    corpus = os.environ.get("TAPELOG_CORPUS")
    if not corpus:
        pytest.skip("TAPELOG_CORPUS is not set")
    manifest = json.loads((Path(corpus) / "manifest.json").read_text())
    return [Path(corpus) / entry["file"] for entry in manifest["entries"] if entry["cls"] == "malformed"]


async def _complaints(files: Iterable[Hostile], folder: Path) -> tuple[list[str], Tally]:
    tally, complaints = Tally(), []
    async with arrival_desk(folder) as desk:
        for hostile in files:
            path = folder / "file"
            path.write_bytes(hostile.content)
            arrival = await desk.check(path)
            tally.add(arrival)
            wrong = arrival.complaint and f"{hostile.name}: {arrival.complaint}"
            complaints.append(wrong or hostile.complaint(arrival.frames, arrival.reason))
        assert desk.deaths == 0
    return [complaint for complaint in complaints if complaint], tally


async def test_one_of_each_way_to_lie(tmp_path: Path):
    """A child reads or refuses each as it should, survives all of them, and stays small."""
    files = [hostile for hostile in generated() if hostile.name in SOME]
    assert len(files) == len(SOME)
    complaints, _ = await _complaints(files, tmp_path)
    assert complaints == []


@pytest.mark.nightly
async def test_every_way_to_lie(tmp_path: Path):
    """Heads, lengths, formats, rates, chunks, disguises and containers: each ends as it should."""
    files = list(generated())
    assert len(files) >= 60
    complaints, tally = await _complaints(files, tmp_path)
    sys.stdout.write(f"\ngenerated: {tally}")
    assert complaints == []


@pytest.mark.nightly
@pytest.mark.timeout(600)
async def test_the_corpus_through_the_child(tmp_path: Path):
    """Every malformed file of the corpus: a result or a typed refusal within 5 s, the child within 256 MiB."""
    paths, tally, complaints = _corpus(), Tally(), []
    async with arrival_desk(tmp_path, read=[paths[0].parent]) as desk:
        for path in paths:
            arrival = await desk.check(path)
            tally.add(arrival)
            if arrival.complaint:
                complaints.append(f"{path.name}: {arrival.complaint}")
        assert desk.deaths == 0
    sys.stdout.write(f"\ncorpus: {tally}")
    assert complaints == []
    assert len(paths) > 200


@pytest.mark.nightly
@pytest.mark.timeout(600)
async def test_the_corpus_through_the_service(tmp_path: Path):
    """One batch of every malformed file beside good ones, real workers: each job ends by its file alone."""
    paths = _corpus()
    async with running_studio(tmp_path, ack_wait_s=30.0) as studio:
        digests = [(await studio.objects.put_file(path)).sha256 for path in paths if path.stat().st_size]
        good = [await put_audio(studio.objects, studio.folder, tone(1.0, 440.0, seed=n)) for n in range(5)]
        jobs = [analysis_job(digest) for digest in (*dict.fromkeys(digests), *good)]
        wanted = BatchCreateRenderJobsRequest(jobs=jobs, request_id="6f1c2b7a-0d43-4a6c-9a55-2f8f0f1f7c11")
        batch = await studio.stub.BatchCreateRenderJobs(wanted, metadata=studio.caller())
        ended = [await studio.ended(job.name, within_s=120.0) for job in batch.jobs]
        assert {job.attempts for job in ended} == {1}, "a file is no reason to try again"
        reasons = Counter(_reason(job) for job in ended)
        assert all(not reason or reason.startswith("SOURCE_") for reason in reasons), reasons
        assert {job.state for job in ended[-len(good) :]} == {JobState.JOB_STATE_SUCCEEDED}
        assert studio.pool.statistics.restarts == 0
        sys.stdout.write(f"\n{len(ended)} jobs: {dict(reasons)}")


def _reason(job: RenderJob) -> str:
    """Return the stable reason of a job's failure, empty for none."""
    info = ErrorInfo()
    return info.reason if job.error.details and job.error.details[0].Unpack(info) else ""


async def test_a_bomb_costs_its_child_little(tmp_path: Path):
    """A FLAC of 1.5 kB that would be 84 MB: read in blocks, within the child's limits."""
    path = tmp_path / "bomb"
    path.write_bytes(flac_of_silence(40 * 65_535))
    async with arrival_desk(tmp_path) as desk:
        arrival = await desk.check(path)
    assert arrival.frames == 40 * 65_535
    assert arrival.excess == ""


@pytest.mark.nightly
@pytest.mark.timeout(900)
async def test_bombs_are_cut_at_the_cap(tmp_path: Path):
    """FLAC, Vorbis, Opus and MP3 of silence: below the cap they are read, beyond it they are refused; never large."""
    async with arrival_desk(tmp_path) as desk:
        for bomb in bombs(SAMPLES_MAX):
            arrival = await desk.check(write(bomb, tmp_path))
            ratio = 4 * bomb.samples / len(bomb.content)
            sys.stdout.write(
                f"\n{bomb.name}: {len(bomb.content)} bytes, {ratio:,.0f} to 1: {arrival.reason or arrival.frames}, "
                f"{arrival.cpu_s:.1f} s CPU, {arrival.peak_mib:.0f} MiB"
            )
            assert arrival.is_final, arrival
            assert arrival.cpu_s <= BOMB_CPU_MAX_S
            assert arrival.peak_mib <= BOMB_PEAK_MAX_MIB
            if bomb.samples > SAMPLES_MAX:
                assert arrival.reason == "SOURCE_TOO_LARGE", arrival
            elif arrival.frames is None:
                assert arrival.reason.startswith("SOURCE_"), arrival
        assert desk.deaths == 0
