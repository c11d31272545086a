"""What the application needs from the world; every adapter is held to these."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tapelog_chassis.event_log import StoredEvent

from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.domain.public_event import PublicEvent
from tapelog_notify.domain.signature import Keyring

from .attempts import Attempt, DeadLetter

Positions = Mapping[str, int]
"""Position by context: how far each event log has been published."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event on its way to the public stream, and how far every log is published with it."""

    event: StoredEvent
    positions: Positions


@dataclass(frozen=True, slots=True)
class End:
    """The end of the public stream: its last position, and the source positions its last message carries."""

    position: int
    sources: Positions


@dataclass(frozen=True, slots=True)
class Bounds:
    """First and last position that the public stream still has; `first` is `last` + 1 when it is empty."""

    first: int
    last: int


class PublicStream(Protocol):
    """The stream of public events, as its one writer sees it."""

    async def end(self) -> End:
        """Read where to go on."""
        ...

    async def publish(self, end_position: int, batch: Sequence[Outgoing]) -> int:
        """
        Append events, all or none, and return the new end position.

        Raises
        ------
        FenceLost
            The stream does not end at `end_position` any more; nothing was written.
        PublishUnknown
            No answer in time.
        """
        ...


class Reader(Protocol):
    """Events of one follower, in order, for ever."""

    def __aiter__(self) -> AsyncIterator[PublicEvent]:
        """Iterate over the events behind the start."""
        ...

    async def __anext__(self) -> PublicEvent:
        """Wait for the next event; safe to cancel."""
        ...

    async def settled_position(self) -> int:
        """Return a position up to which every matching event has been handed out."""
        ...


class PublicEvents(Protocol):
    """The stream of public events, as its readers see it."""

    async def bounds(self) -> Bounds:
        """Return what the stream holds now."""
        ...

    async def position_before(self, time: datetime) -> int:
        """Return the position after which everything recorded at or after `time` lies."""
        ...

    async def at(self, position: int) -> PublicEvent | None:
        """Return the event at a position, of whatever tenant; None where there is none any more."""
        ...

    def range(
        self, tenant: str, *, after_position: int, last: int, event_filter: EventFilter | None = None
    ) -> AsyncGenerator[PublicEvent, None]:
        """Read one tenant's events behind a position up to another, those that pass a filter, and end."""
        ...

    def tail(self, *, after_position: int) -> AbstractAsyncContextManager[AsyncIterator[PublicEvent]]:
        """Read the events of every tenant behind a position, for ever."""
        ...

    def reader(
        self, tenant: str, event_filter: EventFilter, *, after_position: int
    ) -> AbstractAsyncContextManager[Reader]:
        """Read one tenant's events behind a position."""
        ...


class Due(Protocol):
    """One event that a subscription has to deliver; settle it exactly once."""

    @property
    def event(self) -> PublicEvent:
        """The event."""
        ...

    @property
    def attempt(self) -> int:
        """1 at the first delivery since the subscription was created or resumed."""
        ...

    async def extend(self) -> None:
        """Say that it is still being delivered; to be repeated every `ORDERED_HEARTBEAT_S`."""
        ...

    async def accept(self) -> None:
        """Say that it was delivered: the next one follows."""
        ...

    async def retry(self, delay_s: float) -> None:
        """Offer it again after a delay, which outlives this process; nothing overtakes it."""
        ...


class Feeds(Protocol):
    """Durable places in the public stream, one per subscription."""

    async def ensure(
        self,
        tenant: str,
        subscription: str,
        event_filter: EventFilter,
        *,
        after_position: int,
        ordered: bool,
        exact: bool,
    ) -> None:
        """Make the feed, or bring its filter up to date; its place stays. `exact`: its reader does not filter again."""
        ...

    async def restart(self, subscription: str) -> None:
        """Offer what is not accepted at once, with the attempts counted anew."""
        ...

    async def hold(self, subscription: str) -> None:
        """Stop handing out events to whoever reads the feed."""
        ...

    async def release(self, subscription: str) -> None:
        """Undo `hold`."""
        ...

    async def remove(self, subscription: str) -> None:
        """Delete the feed, if it is there."""
        ...

    async def accepted_position(self, subscription: str) -> int:
        """Return the position up to which everything was accepted; 0 if there is no feed."""
        ...

    def open(self, subscription: str) -> AbstractAsyncContextManager[AsyncIterator[Due]]:
        """Read a feed: at most two events are here unsettled; of an ordered feed, one."""
        ...


class Secrets(Protocol):
    """Webhook secrets, encrypted at rest."""

    async def keep(self, tenant: str, subscription: str, secret: bytes) -> bytes:
        """Keep a secret unless one is kept already; return the one that is kept."""
        ...

    async def put(self, tenant: str, subscription: str, secret: bytes) -> None:
        """Keep a secret in place of the one before."""
        ...

    async def rotate(self, tenant: str, subscription: str, secret: bytes, *, previous_until: datetime) -> None:
        """Keep a secret in place of the one before, which signs too until then; again the same is nothing."""
        ...

    async def get(self, tenant: str, subscription: str) -> Keyring:
        """Return the secrets that sign; `SecretUnreadable` if they cannot be read."""
        ...

    def derive(self, tenant: str, subscription: str, request_id: str) -> bytes:
        """Make a new secret that nobody can guess, the same for the same request."""
        ...

    async def forget(self, tenant: str, subscription: str) -> None:
        """Remove a secret."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What an endpoint answered.

    Attributes
    ----------
    status
        HTTP status, 0 where there was no answer.
    error
        Why there was none, or why it is not a success; empty for 2xx.
    retry_after_s
        What it asked for in `Retry-After`.
    """

    status: int
    error: str
    latency_s: float
    retry_after_s: float | None = None


class DeliveryLog(Protocol):
    """What was tried, and what was given up."""

    async def add(self, tenant: str, subscription: str, attempt: Attempt) -> None:
        """Keep an attempt, best effort."""
        ...

    async def newest_first(self, tenant: str, subscription: str) -> list[Attempt]:
        """Return the kept attempts, newest first."""
        ...

    async def last(self, tenant: str, subscription: str) -> Attempt | None:
        """Return the last attempt."""
        ...

    async def bury(self, tenant: str, subscription: str, letter: DeadLetter) -> None:
        """Put an event on the dead-letter list; it is there when this returns."""
        ...

    async def unbury(self, tenant: str, subscription: str, position: int) -> None:
        """Take an event off the dead-letter list."""
        ...

    async def dead_letters(self, tenant: str, subscription: str) -> list[DeadLetter]:
        """Return the dead-letter list, in the order of the events."""
        ...


class Webhooks(Protocol):
    """HTTP to endpoints that nobody here trusts."""

    async def check(self, url: str) -> None:
        """Refuse (`InvalidValue`) a URL that may not be registered."""
        ...

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post once; never raises for what an endpoint does."""
        ...


class Mail(Protocol):
    """Sends mail."""

    @property
    def is_possible(self) -> bool:
        """Whether this installation can."""
        ...

    async def send(self, to: Sequence[str], subject: str, text: str, *, message_id: str) -> Answer:
        """Send once; never raises for what a server does. The status is 250, or what the server said, or 0."""
        ...


@dataclass(frozen=True, slots=True)
class NatsAccess:
    """What an outside tool needs to read its consumer. Secret."""

    credentials: str
    url: str
    inbox_prefix: str


class NatsAccessMint(Protocol):
    """Makes credentials for one consumer alone."""

    def mint(self, subscription: str) -> NatsAccess:
        """Make them."""
        ...

    @property
    def is_possible(self) -> bool:
        """Whether this installation can."""
        ...
