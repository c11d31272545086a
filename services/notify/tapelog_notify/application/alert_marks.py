"""Where the alert rules of a tenant stand in the public stream, kept so that a restart reads on from there.

A mark is disposable: without one, or with one that does not fit, the stream is read again for as far back as a rule can
look, and what is found anew is known to the log by its cause.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from tapelog_chassis.event_log import AggregateId, EventLogError, SnapshotStore
from tapelog_chassis.failpoints import failpoint

from tapelog_notify.domain.alert_detector import Detector, Memory
from tapelog_notify.domain.public_event import PublicEvent

from .ports import PublicEvents

MARK: Final = "alert-marks"
"""Id that a tenant's mark is kept under; no aggregate has it, as ids of aggregates have a number in them."""
FORM: Final = "alert-marks-1"
"""Name of the mark's form: one of another form is not read."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mark:
    """
    Everything up to a position has been looked at.

    Attributes
    ----------
    rules
        What each rule remembered there, by rule id.
    """

    position: int
    rules: Mapping[str, Memory] = field(default_factory=dict)


class AlertMarks:
    """Marks in a store of snapshots."""

    def __init__(self, store: SnapshotStore, context: str) -> None:
        self._store = store
        self._context = context

    def __repr__(self) -> str:
        return f"AlertMarks({self._context})"

    async def load(self, tenant: str) -> Mark | None:
        """Return a tenant's mark, if there is one."""
        found = await self._store.get(AggregateId(self._context, tenant, MARK), FORM)
        if found is None:
            return None
        rules = {
            rule: Memory(
                waiting={key: int(position) for key, position in memory["waiting"].items()},
                windows={key: tuple(positions) for key, positions in memory["windows"].items()},
            )
            for rule, memory in json.loads(found.data).items()
        }
        return Mark(found.position, rules)

    async def save(self, tenant: str, position: int, detectors: Sequence[Detector]) -> None:
        """Keep where the rules stand, best effort: it saves reading and nothing else."""
        rules = {detector.id: detector.memory() for detector in detectors}
        form = {rule: {"waiting": memory.waiting, "windows": memory.windows} for rule, memory in rules.items()}
        data = json.dumps(form, separators=(",", ":")).encode()
        failpoint("notify.before_mark")
        try:
            await self._store.put(AggregateId(self._context, tenant, MARK), position, FORM, data, position=position)
        except EventLogError as error:
            _log.warning("alert mark not kept", tenant=tenant, position=position, error=str(error))
        failpoint("notify.after_mark")


async def remembered(public: PublicEvents, mark: Mark, rules: Sequence[str]) -> dict[int, PublicEvent]:
    """Read the events that some rules of a mark remember; one that the stream has no more is left out."""
    wanted = {position for rule in rules if rule in mark.rules for position in mark.rules[rule].positions()}
    found = {}
    for position in sorted(wanted):
        event = await public.at(position)
        if event is not None:
            found[position] = event
    return found
