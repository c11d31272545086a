"""What has to hold after every run, whatever went wrong in it: the promises, asked of what is stored."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator

from tapelog.render.v1 import events_pb2 as render
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_chassis.event_log import CorruptStream, StoredEvent, chain
from tapelog_notify.adapters.public_codec import decode_public
from tapelog_render.application.events import REGISTRY
from tapelog_session.application.aggregates import EVENTS
from tapelog_session.domain.errors import DomainError
from tapelog_session.domain.evolve import evolve
from tapelog_session.domain.song import Song

from .broker import Defect
from .delivery import PUBLIC_CONTEXTS
from .past import MIXED, RECORDED, past
from .world import HEALED_S, Run, simulate


def violations_of(seed: int, *, defects: frozenset[Defect] = frozenset()) -> list[str]:
    """Run a seed and return everything that does not hold."""
    try:
        return violations(simulate(seed, defects=defects))
    except Exception as failure:  # noqa: BLE001 - with a safeguard switched off anything may follow
        return [f"the run itself failed: {failure!r}"]


def violations(run: Run) -> list[str]:
    """Return everything that does not hold, in words; nothing after a good run."""
    found = list(_progress(run))
    try:
        for check in (
            _chains,
            _acknowledged,
            _once,
            _whole,
            _folds,
            _published,
            _delivered,
            _followed_up,
            _jobs_and_bills,
        ):
            found += check(run)
    except (CorruptStream, DomainError, LookupError, ValueError, TypeError) as failure:
        found.append(f"what is stored cannot be read: {failure!r}")
    return found


def _progress(run: Run) -> Iterator[str]:
    if run.took_s is None:
        yield f"not over {HEALED_S:g} s after the last fault: {'; '.join(run.open)}"
    for stopped in run.stopped:
        yield f"stopped for good: {stopped}"


def _chains(run: Run) -> Iterator[str]:
    """Gapless, in order, each event after the hash of the one before."""
    for aggregate, events in run.broker.aggregates.items():
        try:
            chain.verify(aggregate, events)
        except CorruptStream as failure:
            yield str(failure)


def _acknowledged(run: Run) -> Iterator[str]:
    """Whatever was answered is stored, as it was answered."""
    for request_id, known in run.acknowledged.items():
        history = run.broker.aggregates.get(known.aggregate, [])
        for event in known.events:
            stored = history[event.sequence - 1] if event.sequence <= len(history) else None
            if stored is None or (stored.event_id, stored.hash) != (event.event_id, event.hash):
                yield f"{request_id} was answered, but {known.aggregate} does not have its event {event.sequence}"


def _once(run: Run) -> Iterator[str]:
    """No event twice, and no request in two places of a history."""
    for context, everything in run.broker.contexts.items():
        for event_id, count in Counter(event.event_id for event in everything).items():
            if count > 1:
                yield f"{context} has event {event_id} {count} times"
    for aggregate, events in run.broker.aggregates.items():
        runs: Counter[str] = Counter()
        before = ""
        for event in events:
            if event.metadata.request_id != before:
                runs[before := event.metadata.request_id] += 1
        for request_id, count in runs.items():
            if count > 1:
                yield f"{aggregate} has the request {request_id or 'without an id'} in {count} places"


def _whole(run: Run) -> Iterator[str]:
    """Decide each command again on the song as it was right before: that, and all of it, is stored."""
    for aggregate in run.songs:
        state, decided, stored = Song(), list[bytes](), list[bytes]()
        request_id = ""
        for event in run.broker.aggregates[aggregate]:
            if event.metadata.request_id != request_id:
                if decided != stored:
                    yield f"{aggregate}: {request_id} is stored with {len(stored)} events, not as it is decided"
                request_id, decided, stored = event.metadata.request_id, [], []
                if (decide := run.asked.get(request_id)) is not None:
                    decided = [message.SerializeToString(deterministic=True) for message in decide(state)]
            if request_id in run.asked:
                stored.append(event.data)
            state = evolve(state, EVENTS.decode(event), event.time)
        if decided != stored:
            yield f"{aggregate}: {request_id} is stored with {len(stored)} events, not as it is decided"


def _folds(run: Run) -> Iterator[str]:
    """Fold what is stored: that is what the service serves."""
    for aggregate, served in run.songs.items():
        state = Song()
        for event in run.broker.aggregates[aggregate]:
            state = evolve(state, EVENTS.decode(event), event.time)
        if state != served:
            yield f"{aggregate} is served in another state than its events make"


def _published(run: Run) -> Iterator[str]:
    """Each event is public once, in the order of its log."""
    public = defaultdict(list)
    for message in run.broker.public:
        event = decode_public(message)
        public[event.source.rpartition("/")[2]].append(event.id)
    for context in PUBLIC_CONTEXTS:
        log = [event.event_id for event in run.broker.contexts.get(context, [])]
        if public[context] != log:
            yield f"{context} has {len(log)} events, {len(public[context])} are public, or in another order"


def _delivered(run: Run) -> Iterator[str]:
    """Each public event reached the subscriber, each song's first in its order."""
    first = list(dict.fromkeys(event_id for event_id, _ in run.subscriber.received))
    due = [decode_public(message).id for message in run.broker.public[len(past()) :]]
    if missed := set(due) - set(first):
        yield f"{len(missed)} of {len(due)} events never reached the subscriber"
    if extra := set(first) - set(due):
        yield f"the subscriber was sent {len(extra)} events that are not public"
    last: dict[str, int] = {}
    seen = set()
    for event_id, body in run.subscriber.received:
        if event_id in seen:
            continue
        seen.add(event_id)
        content = json.loads(body)
        if int(content["sequence"]) <= last.get(content["subject"], 0):
            yield f"{content['subject']}: {content['sequence']} came after {last[content['subject']]}"
        last[content["subject"]] = int(content["sequence"])


def _followed_up(run: Run) -> Iterator[str]:
    """Every take was checked, every version has its render, or the reason why not."""
    for take in run.songs[RECORDED].takes.values():
        if take.check_state == pb.TAKE_CHECK_STATE_PENDING:
            yield f"take {take.id} was never checked"
    for mix in run.songs[MIXED].mixes.values():
        if mix.state in (pb.VERSION_STATE_PROPOSED, pb.VERSION_STATE_UNSPECIFIED):
            yield f"mix {mix.number} was never rendered"


def _jobs_and_bills(run: Run) -> Iterator[str]:
    """One outcome a job, one fence at a time, one bill an intent and none for a job that failed."""
    outcomes, settled, wanted = {}, Counter[str](), set()
    for aggregate, events in run.broker.aggregates.items():
        if aggregate.context != "render":
            continue
        messages = [REGISTRY.decode(event) for event in events]
        ends = [m for m in messages if isinstance(m, render.RenderSucceeded | render.RenderFailed)]
        if len(ends) != 1:
            yield f"{aggregate} has {len(ends)} outcomes"
        outcomes[aggregate.id] = ends[0] if ends else None
        yield from _fences(aggregate.id, events)
    for events in (e for a, e in run.broker.aggregates.items() if a.context == "usage"):
        for event in events:
            message = REGISTRY.decode(event)
            if isinstance(message, render.UsageReserved) and _succeeded(outcomes, message.entry.job):
                wanted.add(message.entry.usage_key)
            if isinstance(message, render.UsageSettled):
                settled[message.entry.usage_key] += 1
                if not _succeeded(outcomes, message.entry.job):
                    yield f"{message.entry.job} is billed, but has no result"
    for key, count in settled.items():
        if count > 1:
            yield f"intent {key} is billed {count} times"
    for key in wanted - set(settled):
        yield f"intent {key} has a result and no bill"


def _succeeded(outcomes: dict[str, object], job: str) -> bool:
    return isinstance(outcomes.get(job), render.RenderSucceeded)


def _fences(job: str, events: list[StoredEvent]) -> Iterator[str]:
    running = False
    for event in events:
        message = REGISTRY.decode(event)
        if isinstance(message, render.RenderStarted):
            if running:
                yield f"{job} was started again while an attempt ran"
            running = True
        elif isinstance(message, render.RenderAttemptFailed | render.RenderFailed):
            running = False
        elif isinstance(message, render.RenderSucceeded):
            if not running:
                yield f"{job} succeeded without an attempt"
            running = False
