"""Names of the people that a report tells of."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import Tapelog
from tapelog_client.errors import NotFound
from tapelog_console.reading import words


class Names:
    """Party ids to names; who has no record is shown by the id."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known

    def of(self, party: str) -> str:
        """Return how somebody is called."""
        return self._known.get(party) or party

    def approved(self, version: res.Version) -> str:
        """Return who approved a version: "Ann (artist) and Pia (studio producer)"."""
        valid = [one for one in version.approvals if not one.superseded]
        return " and ".join(f"{self.of(one.party)} ({words.role(one.role)})" for one in valid)


async def read_names(api: Tapelog, *resources: Any) -> Names:
    """Return the names of everybody whom these resources mention."""
    wanted = sorted({party for resource in resources for party in _parties(resource)} - {""})
    found = await asyncio.gather(*(_name(api, party) for party in wanted))
    return Names(dict(zip(wanted, found, strict=True)))


async def _name(api: Tapelog, party: str) -> str:
    try:
        return (await api.parties.get(party)).display_name
    except NotFound:
        return ""


def _parties(resource: Any) -> Iterable[str]:
    """Yield the parties of a song, a package or a studio session."""
    if isinstance(resource, res.Song):
        for version in resource.versions:
            yield version.proposed_by
            yield from (approval.party for approval in version.approvals)
        for note in resource.notes:
            yield note.author
        for disagreement in resource.disagreements:
            yield disagreement.opened_by
            yield disagreement.decision.party
            yield from (position.party for position in disagreement.positions)
            yield from (consent.party for consent in disagreement.consents)
        yield from (waiver.waived_by for waiver in resource.waivers)
        for work in resource.works:
            yield from work.writers
    elif isinstance(resource, res.DeliveryPackage):
        yield from (resource.accepted_by, resource.handed_over_to)
    elif isinstance(resource, res.StudioSession):
        yield from (one.party for one in resource.contributions)
