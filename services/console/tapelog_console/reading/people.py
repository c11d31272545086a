"""Who people are, and what they may do: looked up, never decided here."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

from tapelog.session.v1 import resources_pb2 as res
from tapelog_chassis.clock import Clock
from tapelog_client import Tapelog
from tapelog_client.errors import NotFound

from tapelog_console.identity.cookies import SignedIn

from . import words

NAMES_MAX: Final = 4096
NAME_S: Final = 60.0
"""How long a name is shown before it is read again: names can be corrected and erased."""
GRANTS_MAX: Final = 1024
"""Sets of grants kept; the project's etag is in the key, so that a change of roles is a new set."""

ACTIONS: Final[Mapping[str, str]] = {
    "approve": "ApproveVersion",
    "withdraw": "WithdrawApproval",
    "request-changes": "RequestChanges",
    "submit": "SubmitVersion",
    "note": "AddNote",
    "reply": "ReplyToNote",
    "address": "AddressNote",
    "decline": "DeclineNote",
    "verify": "VerifyNote",
    "reopen": "ReopenNote",
    "advance": "AdvanceStage",
    "send-back": "SendBackSong",
    "ask-send-back": "RequestSendBack",
    "propose-brief": "ProposeBrief",
    "agree-brief": "AgreeBrief",
    "approve-arrangement": "ApproveArrangement",
    "disagree": "OpenDisagreement",
    "position": "StatePosition",
    "option": "ProposeOption",
    "decide": "RecordDecision",
    "consent": "ConsentToDecision",
    "close-disagreement": "CloseDisagreement",
    "accept-delivery": "AcceptDelivery",
    "return-delivery": "ReturnDelivery",
    "select-take": "SelectTake",
}
"""What the page can do, and the RPC of the session service whose permission it needs."""

Grants = Mapping[str, str]
"""Action to the role, in words, in which the person may do it; what they may not do is absent."""


def awaited(song: res.Song, project: res.Project) -> list[tuple[str, list[str]]]:
    """Return whom a song waits for: each role in words, with the parties who hold it."""
    return [
        (words.role(role), [member.party for member in project.members if role in member.roles])
        for role in song.waiting_for
    ]


class People:
    """Names and grants, kept for a moment."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._names: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()
        self._grants: OrderedDict[tuple[str, str, tuple[str, ...], str, str], Grants] = OrderedDict()

    async def names(self, api: Tapelog, tenant: str, parties: Iterable[str]) -> Mapping[str, str]:
        """Return the names to show of parties; one that has no record is shown by its id."""
        wanted = sorted({party for party in parties if party})
        found = await asyncio.gather(*(self._name(api, tenant, party) for party in wanted))
        return dict(zip(wanted, found, strict=True))

    async def _name(self, api: Tapelog, tenant: str, party: str) -> str:
        now_s = self._clock.now().timestamp()
        name, until_s = self._names.get((tenant, party), ("", 0.0))
        if now_s < until_s:
            return name
        try:
            name = (await api.parties.get(party)).display_name or party
        except NotFound:
            name = party
        self._names[tenant, party] = (name, now_s + NAME_S)
        self._names.move_to_end((tenant, party))
        if len(self._names) > NAMES_MAX:
            self._names.popitem(last=False)
        return name

    async def grants(self, api: Tapelog, person: SignedIn, project: res.Project) -> Grants:
        """Return what a person may do in a project, as the session service says."""
        key = (person.tenant, person.party, person.tenant_roles, project.name, project.etag)
        grants = self._grants.pop(key, None)
        if grants is None:
            answers = await asyncio.gather(
                *(
                    api.projects.check_permission(project.name, f"/tapelog.session.v1.SessionService/{rpc}")
                    for rpc in ACTIONS.values()
                )
            )
            grants = {
                action: words.role(answer.role)
                for action, answer in zip(ACTIONS, answers, strict=True)
                if answer.allowed
            }
        self._grants[key] = grants
        if len(self._grants) > GRANTS_MAX:
            self._grants.popitem(last=False)
        return grants
