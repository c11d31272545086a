"""Filters, the subscription's decisions, public events, the small codecs of the adapters."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.protobuf import symbol_database
from google.protobuf.message import Message
from tapelog.notify.v1 import events_pb2
from tapelog_chassis.errors import ConfigRefusal
from tapelog_chassis.topology import event_token
from tapelog_notify.adapters.public_codec import format_positions, parse_positions
from tapelog_notify.adapters.secrets import SecretKey
from tapelog_notify.adapters.subjects import SUBJECTS_MAX, is_exact, public_subjects
from tapelog_notify.adapters.webhook_client import parse_retry_after
from tapelog_notify.domain import subscription as domain
from tapelog_notify.domain.catalogue import EVENT_TYPES
from tapelog_notify.domain.errors import InvalidValue, UnknownSubscription, WrongState
from tapelog_notify.domain.event_filter import BILLING_TYPES, EventFilter, beyond
from tapelog_notify.domain.public_event import BODY_BYTES_MAX, PublicEvent, to_json
from tapelog_notify.domain.subscription import State, Subscription
from tapelog_notify.errors import SecretUnreadable
from tapelog_notify.main import EVENTS

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def fold(*events: Message) -> Subscription:
    """Return the state after events."""
    state = Subscription()
    for event in events:
        state = domain.evolve(state, event, NOW)
    return state


def created(url: str = "https://example.com/") -> Message:
    """Return the creation of a webhook."""
    (event,) = domain.create(
        Subscription(),
        title="billing",
        filter_=EventFilter(types=("tapelog.usage_account.*",)),
        url=url,
        after_position=7,
        created_by="pty-ana",
    )
    return event


def test_the_catalogue_names_real_messages_and_our_own_events() -> None:
    """Every type has a message that can be found, a subject token, and ours are the registry's."""
    for type_, schema in EVENT_TYPES.items():
        assert symbol_database.Default().GetSymbol(schema).DESCRIPTOR.full_name == schema
        assert event_token(type_)
    own = ("tapelog.subscription.", "tapelog.alert.", "tapelog.alert_rule.")
    ours = {type_ for type_ in EVENT_TYPES if type_.startswith(own)}
    assert ours == set(EVENTS.types)
    assert "tapelog.render_job.render_succeeded.v1" in EVENT_TYPES
    assert "tapelog.usage_account.usage_settled.v1" in EVENT_TYPES


def test_a_created_subscription_carries_no_secret_and_is_active() -> None:
    """The event holds filter, place and channel; the state is read back from it."""
    state = fold(created())
    assert state == Subscription(
        state=State.ACTIVE,
        channel=domain.Channel.WEBHOOK,
        title="billing",
        filter=EventFilter(types=("tapelog.usage_account.*",)),
        url="https://example.com/",
        after_position=7,
        created_by="pty-ana",
        create_time=NOW,
        enabled_time=NOW,
    )
    assert fold(created(url="")).is_pushed is False


def test_the_states_and_what_leads_from_one_to_another() -> None:
    """Pause, resume, disable and delete, each from each state: an event, nothing, or a refusal."""
    active = fold(created())
    paused = fold(created(), events_pb2.SubscriptionPaused(reason="holiday"))
    disabled = fold(created(), events_pb2.SubscriptionDisabled(reason="410"))
    deleted = fold(created(), events_pb2.SubscriptionDeleted())
    assert (paused.state, paused.reason) == (State.PAUSED, "holiday")
    assert domain.pause(active, reason="x") == (events_pb2.SubscriptionPaused(reason="x"),)
    assert domain.pause(paused, reason="x") == ()
    with pytest.raises(WrongState):
        domain.pause(disabled, reason="x")
    assert domain.resume(active) == ()
    assert domain.resume(paused) == domain.resume(disabled) == (events_pb2.SubscriptionResumed(),)
    assert domain.disable(active, reason="gone") == (events_pb2.SubscriptionDisabled(reason="gone"),)
    assert domain.exhaust(active, reason="tried") == (events_pb2.SubscriptionPaused(reason="tried"),)
    for state in (paused, disabled, deleted):
        assert domain.disable(state, reason="gone") == domain.exhaust(state, reason="tried") == ()
    for command in (lambda s: domain.pause(s, reason=""), domain.resume, domain.delete):
        for state in (deleted, Subscription()):
            with pytest.raises(UnknownSubscription):
                command(state)


def test_a_filter_must_hold_in_every_part() -> None:
    """Projects, songs and types are joined by and; the values of one part by or."""
    wanted = EventFilter.of(projects=["p1", "p2"], songs=["s1"], types=["tapelog.song.stage_*"])
    assert wanted.matches(type_="tapelog.song.stage_advanced.v1", project="p2", song="s1", thread=None)
    assert not wanted.matches(type_="tapelog.song.stage_advanced.v1", project="p3", song="s1", thread=None)
    assert not wanted.matches(type_="tapelog.song.stage_advanced.v1", project="p1", song="", thread=None)
    assert not wanted.matches(type_="tapelog.song.note_added.v1", project="p1", song="s1", thread=None)
    assert EventFilter().matches(type_="anything", project="", song="", thread=None)


@pytest.mark.parametrize("pattern", ["", "song", "tapelog.song", "tapelog.*.x", "TAPELOG.*", "tapelog.song.nothing_*"])
def test_a_pattern_that_matches_nothing_is_refused(pattern: str) -> None:
    """Misspelt types are errors, not silence."""
    with pytest.raises(InvalidValue):
        EventFilter.of(types=[pattern])


def test_what_is_beyond_a_billing_reader() -> None:
    """Usage and stages are within, everything else and everything are beyond."""
    allowed = EventFilter(types=BILLING_TYPES)
    assert beyond(EventFilter(types=("tapelog.usage_account.usage_settled.v1",)), allowed) == ()
    assert beyond(EventFilter(types=BILLING_TYPES), allowed) == ()
    assert "tapelog.song.note_added.v1" in beyond(EventFilter(types=("tapelog.song.*",)), allowed)
    assert len(beyond(EventFilter(), allowed)) > 20


def test_subjects_cover_their_filter_and_stay_in_the_tenant() -> None:
    """For any filter, each subject begins with the tenant and every matching event is on one of them."""
    everything = public_subjects("acme", EventFilter())
    assert everything == ("pub.acme.*.*.*",)
    assert public_subjects("acme", EventFilter(types=("tapelog.*",))) == everything
    one = EventFilter(projects=("p1",), songs=("s1", "s2"), types=("tapelog.song.take_recorded.v1",))
    assert public_subjects("acme", one) == ("pub.acme.p1.s1.song_take_recorded", "pub.acme.p1.s2.song_take_recorded")
    wide = EventFilter(
        projects=tuple(f"p{n}" for n in range(32)),
        songs=tuple(f"s{n}" for n in range(32)),
        types=("tapelog.song.take_recorded.v1",),
    )
    assert is_exact(one)
    assert not is_exact(wide)
    subjects = public_subjects("acme", wide)
    assert len(subjects) <= SUBJECTS_MAX
    assert subjects == tuple(f"pub.acme.p{n}.*.song_take_recorded" for n in range(32))


def test_bodies_stay_below_20_kb_whatever_the_data() -> None:
    """Around the limit data gives way, as it does for an unknown message; the link to the event is there always."""
    seen = set()
    for length in range(BODY_BYTES_MAX - 700, BODY_BYTES_MAX + 10, 7):
        data = events_pb2.SubscriptionPaused(reason="x" * length).SerializeToString()
        body = to_json(public_event("tapelog.notify.v1.SubscriptionPaused", data))
        assert len(body) < BODY_BYTES_MAX
        assert json.loads(body)["dataref"] == "tapelog:events/5"
        seen.add("data" in json.loads(body))
    assert seen == {True, False}
    unknown = json.loads(to_json(public_event("tapelog.future.v1.Thing", b"\x0a\x01x")))
    assert unknown["dataref"] == "tapelog:events/5"
    assert "data" not in unknown


def public_event(schema: str, data: bytes) -> PublicEvent:
    """Return an event with everything set."""
    return PublicEvent(
        id="evt-1",
        type="tapelog.x.y.v1",
        source="/tapelog/notify",
        time=NOW,
        tenant="acme",
        project="",
        song="",
        aggregate="sub-1",
        sequence=1,
        position=5,
        actor="pty-ana",
        on_behalf_of="",
        role_used="",
        correlation_id="",
        causation_id="",
        schema=schema,
        data=data,
    )


def test_source_positions_are_read_as_they_are_written() -> None:
    """The header names streams; a stream that is not known here is left alone."""
    text = format_positions({"session": 12, "render": 7})
    assert text == "ES_SESSION=12,ES_RENDER=7"
    assert parse_positions(text + ",ES_FUTURE=3", {"ES_SESSION": "session", "ES_RENDER": "render"}) == {
        "session": 12,
        "render": 7,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Fri, 01 May 2026 12:01:00 GMT", 60.0),
        ("Fri, 01 May 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("١٢", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, expected: float | None) -> None:
    """What is neither counts as nothing said."""
    assert parse_retry_after(text, NOW) == expected


def test_a_secret_is_bound_to_its_name_and_key(tmp_path: Path) -> None:
    """An entry that was moved, changed or written with another key is not read."""
    key = SecretKey.open(tmp_path / "a" / "key")
    entry = key.encrypt(b"secret", name="one")
    assert SecretKey.open(tmp_path / "a" / "key").decrypt(entry, name="one") == b"secret"
    assert b"secret" not in entry
    assert key.encrypt(b"secret", name="one") != entry
    other = SecretKey.open(tmp_path / "b" / "key")
    for reader, data, name in (
        (key, entry, "two"),
        (other, entry, "one"),
        (key, entry[:-1] + bytes([entry[-1] ^ 1]), "one"),
        (key, entry[:5], "one"),
        (key, b"", "one"),
    ):
        with pytest.raises(SecretUnreadable):
            reader.decrypt(data, name=name)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """The service does not start on a key file with a wrong mode or length."""
    path = tmp_path / "key"
    SecretKey.open(path)
    path.chmod(0o644)
    with pytest.raises(ConfigRefusal, match="chmod 600"):
        SecretKey.open(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(ConfigRefusal, match="5 bytes, not 32"):
        SecretKey.open(path)
