"""What always holds of the log, of renders and their ledger, and of what subscribers are sent."""

import asyncio
import dataclasses
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from google.protobuf.message import Message
from tapelog.common.v1 import recipe_pb2
from tapelog.render.v1 import resources_pb2 as render
from tapelog.session.v1 import events_pb2
from tapelog_chassis.errors import Aborted
from tapelog_chassis.event_log import MemoryEventLog, Metadata
from tapelog_chassis.testing import embedded_nats
from tapelog_desk import beside, render_mix
from tapelog_notify.testing import Recorder, read_events, running_notify, settings_for
from tapelog_recipe import recipe_digest
from tapelog_render.domain import job as jobs
from tapelog_render.domain import usage
from tapelog_session.application.aggregates import Aggregates

RATE_HZ = 48_000
KEY = "k1"


@dataclasses.dataclass(frozen=True)
class At:
    """Where a fact of the ledger or of a job was recorded."""

    sequence: int = 1
    event_id: str = "evt-1"
    time: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    metadata: Metadata = dataclasses.field(default_factory=Metadata)


async def test_inv_02_sequences_have_no_gap_and_of_racers_exactly_one_wins() -> None:
    """Ten writers on one etag, each with a cache of its own: one wins, nine are told the etag of now."""
    log = MemoryEventLog()
    writers = [Aggregates.on(log) for _ in range(10)]
    created = events_pb2.SongCreated(song="sng-1", project="prj-1", title="Song")
    await _write(writers[0], created, "")
    answers = await asyncio.gather(
        *(_write(writer, events_pb2.SongPutOnHold(), '"1"') for writer in writers), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, Aborted)]
    assert (len(refused), {answer.reason for answer in refused}) == (9, {"ETAG_MISMATCH"})
    assert {answer.metadata["etag_current"] for answer in refused} == {'"2"'}
    stored = await log.load(writers[0].songs.aggregate("acme", "sng-1"))
    assert [event.sequence for event in stored] == [1, 2]


async def _write(writer: Aggregates, fact: Message, etag: str) -> Any:
    return await writer.songs.execute(
        writer.songs.aggregate("acme", "sng-1"),
        lambda _: [fact],
        request_id=str(uuid.uuid4()),
        request_hash="0" * 64,
        metadata=Metadata(project="prj-1", song="sng-1"),
        expected_etag=etag,
    )


def test_inv_11_one_recipe_and_one_engine_give_one_sample_digest(tmp_path: Path) -> None:
    """Two renders of one recipe have one digest; a repetition that differs is recorded as a mismatch, always."""
    noise = np.random.default_rng(4).standard_normal(RATE_HZ) * 0.05
    soundfile.write(tmp_path / "a.wav", noise, RATE_HZ, subtype="PCM_24")
    recipe = recipe_pb2.MixRecipe(sample_rate_hz=RATE_HZ)
    recipe.tracks.add(id="a", chain=[recipe_pb2.Processor(compressor=recipe_pb2.Compressor(threshold_db=-30))])
    recipe.tracks[0].source.file = "a.wav"
    copy = recipe_pb2.MixRecipe.FromString(recipe.SerializeToString())
    assert recipe_digest(recipe) == recipe_digest(copy)
    digests = []
    for number, one in enumerate((recipe, copy, _louder(recipe))):
        out = tmp_path / str(number)
        out.mkdir()
        outputs = [recipe_pb2.OutputFormat(container=recipe_pb2.CONTAINER_WAV, bit_depth=24)]
        rendered = render_mix(one, beside(tmp_path), outputs, out, analysis_file=False)
        digests.append(rendered.audio[0].result.sample_digest)
    assert digests[0] == digests[1] != digests[2]
    for equal, facts in ((True, ["RenderSucceeded"]), (False, ["RenderMismatchFound", "RenderSucceeded"])):
        result = render.RenderResult(verification=render.Verification(job="renderJobs/job-1", equal=equal))
        found = jobs.succeed(_running(), fence=2, result=result)
        assert [type(fact).__name__ for fact in found] == facts


def _running() -> jobs.Job:
    job = jobs.evolve(jobs.Job(), jobs.request(jobs.Job(), render.RenderJob(kind=render.RENDER_KIND_MIX))[0], At())
    (started,) = jobs.start(job, worker="wrk-1", engine_version="1")
    return jobs.evolve(job, started, At(sequence=2))


def _louder(recipe: recipe_pb2.MixRecipe) -> recipe_pb2.MixRecipe:
    louder = recipe_pb2.MixRecipe()
    louder.CopyFrom(recipe)
    louder.tracks[0].gain_db = 1.0
    return louder


def _claim(job: str) -> render.UsageEntry:
    return render.UsageEntry(job=job, usage_key=KEY, account="prj-a", reserved_ms=1000)


def _fold(account: usage.Account, events: Sequence[Message]) -> usage.Account:
    for event in events:
        account = usage.evolve(account, event, At())
    return account


def test_inv_12_one_intent_is_settled_at_most_once_and_the_ledger_adds_up() -> None:
    """Whatever becomes of four jobs of an intent: one settled claim, reserved = settled + released + open, none < 0."""
    account = _fold(usage.Account(), usage.reserve(usage.Account(), [_claim(f"job-{n}") for n in range(4)]))
    for step in (
        lambda a: usage.release(a, job="job-0", reason="RENDER_FAILED"),
        lambda a: usage.settle(a, job="job-1", quantity_ms=900),
        lambda a: usage.settle(a, job="job-2", quantity_ms=900),
        lambda a: usage.settle(a, job="job-1", quantity_ms=900),
    ):
        account = _fold(account, step(account))
        totals = account.totals
        assert totals.reserved_ms == totals.settled_ms + totals.released_ms + totals.open_ms
        assert totals.open_ms >= 0
    states = [entry.state for entry in account.entries.values()]
    assert states.count(render.USAGE_STATE_SETTLED) == 1
    with pytest.raises(usage.AdjustmentRefused):
        usage.adjust(account, job="job-1", adjustment_ms=-901, reason="too much")


def test_inv_13_a_render_that_fails_or_is_cancelled_settles_nothing() -> None:
    """The claim of a failed job and that of a cancelled one are released; nothing of them is billed."""
    account = _fold(usage.Account(), usage.reserve(usage.Account(), [_claim("job-1"), _claim("job-2")]))
    for number, (job, outcome) in enumerate((("job-1", "failed"), ("job-2", "cancelled"))):
        wanted = render.RenderJob(kind=render.RENDER_KIND_MIX)
        state = jobs.evolve(jobs.Job(), jobs.request(jobs.Job(), wanted)[0], At())
        ends = (
            jobs.cancel(state, reason="")
            if outcome == "cancelled"
            else jobs.abandon(state, jobs.Failure("ENGINE_KILLED", "it died"))
        )
        assert [type(end).__name__ for end in ends][-1] == ("RenderCancelled" if number else "RenderFailed")
        account = _fold(account, usage.release(account, job=job, reason=outcome))
        assert usage.settle(account, job=job, quantity_ms=1000) == ()
    assert (account.totals.settled_ms, account.totals.billed_ms, account.totals.open_ms) == (0, 0, 0)


async def test_inv_15_a_subscriber_sees_each_stream_in_order_and_reading_again_makes_no_fact(tmp_path: Path) -> None:
    """Read twice from the start: the same ids in the order of each aggregate, and the logs are as long as before."""
    async with embedded_nats(tmp_path) as broker:
        recorder = await Recorder.on(broker)
        for number in range(30):
            await recorder.append(f"sng-{number % 3}", context="session")
        async with running_notify(settings_for(broker, tmp_path)) as notify:
            heads = [await (await broker.log("notify")).head(context) for context in ("session", "render", "usage")]
            first, again = [await read_events(notify.subscribe(after_position=0), 30) for _ in range(2)]
            after = [await (await broker.log("notify")).head(context) for context in ("session", "render", "usage")]
    assert [event.id for event in first] == [event.id for event in again]
    for song in ("sng-0", "sng-1", "sng-2"):
        assert [event.sequence for event in first if event.aggregate == song] == list(range(1, 11))
    assert heads == after
