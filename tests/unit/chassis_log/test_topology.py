"""The one list of streams, subjects and consumers agrees with itself."""

import re
from pathlib import Path

import pytest
from tapelog_chassis import topology
from tapelog_chassis.nats.permissions import SERVICES, Permissions
from tapelog_chassis.nats.provision import check_budget


def matches(pattern: str, subject: str) -> bool:
    """Match a subject as NATS does, written a second time."""
    wanted, have = pattern.split("."), subject.split(".")
    for index, token in enumerate(wanted):
        if token == ">":
            return len(have) > index
        if index >= len(have) or token not in ("*", have[index]):
            return False
    return len(wanted) == len(have)


def stream_of(subject: str) -> list[str]:
    """List the streams that take a subject."""
    return [stream.name for stream in topology.STREAMS if any(matches(p, subject) for p in stream.subjects)]


def test_every_subject_has_one_stream() -> None:
    """What the subject functions make is stored in exactly the stream meant, and core subjects in none."""
    subjects = {topology.es_subject(context, "acme", "x-1"): f"ES_{context.upper()}" for context in topology.CONTEXTS}
    subjects |= {
        topology.pub_subject("acme", "", "", "tapelog.song.mix_version_approved.v1"): "PUB",
        topology.job_subject("render", "bulk", "acme", "rj-1"): "JOBS",
        topology.snapshot_subject("session", "acme", "sng-1"): "KV_snap",
        "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.JOBS.standard": "ADV",
        "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.JOBS.bulk": "ADV",
    }
    assert {subject: stream_of(subject) for subject in subjects} == {s: [name] for s, name in subjects.items()}
    assert stream_of(topology.cancel_subject("rj-1")) == stream_of(topology.progress_subject("acme", "rj-1")) == []


def test_subjects_are_the_decided_forms() -> None:
    """The forms that other programs rely on, spelled out."""
    approved = "tapelog.song.mix_version_approved.v1"
    assert topology.es_subject("session", "acme", "sng-1") == "es.session.acme.sng-1"
    assert topology.pub_subject("acme", "prj-1", "sng-1", approved) == "pub.acme.prj-1.sng-1.song_mix_version_approved"
    assert topology.pub_subject("acme", "", "", approved) == "pub.acme.-.-.song_mix_version_approved"
    assert topology.pub_filter("acme", song="sng-1") == "pub.acme.*.sng-1.*"
    assert topology.pub_filter("acme", type_=approved) == "pub.acme.*.*.song_mix_version_approved"
    assert topology.job_subject("render", "standard", "acme", "rj-1") == "job.render.standard.acme.rj-1"
    assert topology.cancel_subject("rj-1") == "ctl.render.cancel.rj-1"
    assert topology.progress_subject("acme", "rj-1") == "tel.render.progress.acme.rj-1"


@pytest.mark.parametrize("bad", ["", "*", ">", "a.b", "A", "a b", "x" * 80])
def test_no_wildcard_gets_into_a_subject(bad: str) -> None:
    """A token that would widen or break a subject is refused everywhere."""
    calls = [
        lambda: topology.es_subject("session", bad, "x"),
        lambda: topology.es_subject("session", "acme", bad),
        lambda: topology.pub_subject(bad, "", "", "tapelog.song.song_approved.v1"),
        lambda: topology.pub_filter(bad),
        lambda: topology.job_subject("render", "standard", "acme", bad),
        lambda: topology.job_subject("render", bad, "acme", "rj-1"),
        lambda: topology.cancel_subject(bad),
        lambda: topology.progress_subject("acme", bad),
        lambda: topology.snapshot_subject("session", "acme", bad),
        lambda: topology.subscription_consumer(bad, ()),
        lambda: topology.event_token(f"tapelog.song.{bad}.v1"),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="not"):
            call()


def test_consumers_read_streams_that_exist_and_jobs_do_not_overlap() -> None:
    """Each durable's filters lie inside its stream, and a job lies in exactly one lane: its class's and tenant's."""
    streams = {stream.name: stream for stream in topology.STREAMS}
    for consumer in topology.CONSUMERS:
        for pattern in consumer.filters:
            example = pattern.replace("*", "x")
            assert stream_of(example) == [consumer.stream]
        assert consumer.stream in streams
    for class_ in topology.JOB_CLASSES:
        subject = topology.job_subject("render", class_, "acme", "rj-1")
        lanes = [
            topology.job_lane(each, tenant) for each in topology.JOB_CLASSES for tenant in ("acme", "acme-2", "other")
        ]
        takers = [lane.name for lane in (*topology.CONSUMERS, *lanes) if any(matches(p, subject) for p in lane.filters)]
        assert takers == [f"{class_}-acme"]
    for bad in (("urgent", "acme"), ("bulk", "a.b"), ("bulk", "*"), ("bulk", "")):
        with pytest.raises(ValueError, match="not"):
            topology.job_lane(*bad)


def test_the_awaited_outcomes_are_events_that_exist() -> None:
    """The names that the session filters public events by are in the event catalogue."""
    catalogue = (Path(__file__).parents[3] / "docs" / "events.md").read_text()
    types = re.findall(r"tapelog\.render_job\.render_\w+\.v\d+", catalogue)
    assert set(topology.RENDER_OUTCOMES) <= {topology.event_token(type_) for type_ in types}


def test_the_sizes_fit() -> None:
    """All streams together take at most the store, and every stream has a share."""
    check_budget()
    assert all(stream.share > 0 for stream in topology.STREAMS)


def test_no_service_manages_streams() -> None:
    """Outside admin nobody creates, changes or deletes a stream; render touches the queue, session erases persons."""
    own = {
        "render": {"$JS.API.STREAM.PURGE.JOBS", "$JS.API.STREAM.MSG.DELETE.JOBS"},
        "session": {f"$JS.API.STREAM.MSG.DELETE.{stream}" for stream in (topology.PARTIES, topology.PARTY_KEYS)},
    }
    for name, permissions in SERVICES.items():
        for verb in ("CREATE", "UPDATE", "DELETE", "PURGE", "MSG.DELETE", "MSG.GET", "SNAPSHOT", "RESTORE"):
            for stream in topology.STREAMS:
                subject = f"$JS.API.STREAM.{verb}.{stream.name}"
                allowed = any(matches(pattern, subject) for pattern in permissions.publish)
                expected = name == "admin" or subject in own.get(name, ())
                assert allowed == expected, (name, subject)


def test_an_empty_list_allows_nothing() -> None:
    """A user without subjects is denied all, because to the server a missing list means everything."""
    assert Permissions(publish=(), subscribe=()).publish_claims() == {"deny": [">"]}
    assert Permissions(publish=(), subscribe=()).subscribe_claims() == {"deny": [">"]}
