"""How far projects are, as the projection knows it: what lets a command look up roles without asking the log."""

from __future__ import annotations

import dataclasses

from tapelog_chassis.aggregates.freshness import Freshness
from tapelog_chassis.event_log import AggregateId

from tapelog_session.application.reading.views import Views


@dataclasses.dataclass(frozen=True, slots=True)
class ProjectHeads:
    """The ends of projects, for as long as the rows are proven to be fresh."""

    views: Views
    freshness: Freshness

    def sequence(self, aggregate: AggregateId) -> int | None:
        """See `Heads.sequence`."""
        if not self.freshness.holds():
            return None
        return self.views.project_sequence(aggregate.tenant, aggregate.id)
