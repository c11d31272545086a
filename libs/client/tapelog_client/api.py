"""The client: one object with a group of methods for each kind of resource."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from tapelog_chassis.auth import Kind
from tapelog_chassis.rpc.grpc_options import CertificatePair

from tapelog_client.alerts import Alerts
from tapelog_client.api_keys import ApiKeys
from tapelog_client.assets import Assets
from tapelog_client.calls import Calls
from tapelog_client.deliveries import Deliveries
from tapelog_client.disagreements import Disagreements
from tapelog_client.events import Events
from tapelog_client.link import Channels, Link
from tapelog_client.local import TENANT_DEFAULT, StackState
from tapelog_client.notes import Notes
from tapelog_client.projects import Parties, Projects
from tapelog_client.renders import Renders, Usage
from tapelog_client.sessions import StudioSessions
from tapelog_client.songs import Briefs, Songs, Stages
from tapelog_client.subscriptions import Subscriptions
from tapelog_client.takes import Takes
from tapelog_client.tokens import ApiKeyTokenSource, LocalKeyTokenSource, TokenSource
from tapelog_client.versions import Versions


@dataclasses.dataclass(frozen=True, slots=True)
class LocalIdentity:
    """What a client of the local issuer needs to speak as another person."""

    issuer_dir: Path
    tenant: str


class Tapelog:
    """Everything that one person can do, over connections shared by all views of one client.

    Use `Tapelog.local` for a `tapelog up` on this machine, `Tapelog.connect` for services elsewhere; both are entered
    with `async with`.

    Attributes
    ----------
    parties, api_keys, projects, songs, briefs, stages, assets, takes, versions, notes, disagreements, deliveries,
    sessions
        The session service.
    renders, usage
        The render service.
    subscriptions, events
        The notify service.

    Examples
    --------
    >>> async with Tapelog.local(party="pty-producer") as api:
    ...     song = await api.songs.get("projects/prj-1/songs/sng-1")
    """

    def __init__(
        self, channels: Channels, tokens: TokenSource, *, on_behalf_of: str = "", identity: LocalIdentity | None = None
    ) -> None:
        self._channels = channels
        self._identity = identity
        self._tokens = tokens
        link = Link(channels, Calls(tokens, on_behalf_of=on_behalf_of))
        if isinstance(tokens, ApiKeyTokenSource):
            tokens.use(channels.of("session"))
        self.parties = Parties(link)
        self.api_keys = ApiKeys(link)
        self.projects = Projects(link)
        self.sessions = StudioSessions(link)
        self.songs = Songs(link)
        self.briefs = Briefs(link)
        self.stages = Stages(link)
        self.assets = Assets(link)
        self.takes = Takes(link)
        self.versions = Versions(link)
        self.notes = Notes(link)
        self.disagreements = Disagreements(link)
        self.deliveries = Deliveries(link)
        self.renders = Renders(link)
        self.usage = Usage(link)
        self.subscriptions = Subscriptions(link)
        self.events = Events(link)
        self.alerts = Alerts(link)

    @classmethod
    def connect(
        cls,
        *,
        session: str = "",
        render: str = "",
        notify: str = "",
        tokens: TokenSource,
        on_behalf_of: str = "",
        tls_ca: Path | None = None,
        certificate: CertificatePair | None = None,
    ) -> Self:
        """Return a client of services at these addresses; a service without an address cannot be called.

        Parameters
        ----------
        session, render, notify : str
            `host:port`, or `unix:/path`.
        tokens : TokenSource
            As whom to call.
        on_behalf_of : str
            The party for whom an integration acts.
        tls_ca : Path, optional
            PEM authorities of the services, needed beyond loopback.
        certificate : CertificatePair, optional
            What to show to services that ask for certificates.
        """
        channels = Channels(session=session, render=render, notify=notify, tls_ca=tls_ca, certificate=certificate)
        return cls(channels, tokens, on_behalf_of=on_behalf_of)

    @classmethod
    def local(
        cls,
        data_dir: Path,
        *,
        party: str,
        tenant: str = TENANT_DEFAULT,
        kind: Kind = "person",
        tenant_roles: Iterable[str] = (),
    ) -> Self:
        """Return a client of the `tapelog up` that runs on a data folder, with tokens from its key.

        Raises
        ------
        StackNotRunning
            None runs there.
        """
        state = StackState.read(data_dir)
        identity = LocalIdentity(Path(state.identity_dir), tenant)
        channels = Channels(session=state.session, render=state.render, notify=state.notify)
        tokens = LocalKeyTokenSource(
            identity.issuer_dir, tenant=tenant, party=party, kind=kind, tenant_roles=tenant_roles
        )
        return cls(channels, tokens, identity=identity)

    def as_party(self, party: str, *, kind: Kind = "person", tenant_roles: Iterable[str] = ()) -> "Tapelog":
        """Return a view that speaks as another person over the same connections (local issuer only).

        Raises
        ------
        TypeError
            This client has no local issuer: another person has to bring their own token.
        """
        if self._identity is None:
            raise TypeError("only a client made by Tapelog.local can speak as another party: it needs the issuer's key")
        tokens = LocalKeyTokenSource(
            self._identity.issuer_dir, tenant=self._identity.tenant, party=party, kind=kind, tenant_roles=tenant_roles
        )
        return Tapelog(self._channels, tokens, identity=self._identity)

    async def close(self) -> None:
        """Close the connections, of every view."""
        await self._channels.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"Tapelog({self._tokens!r}, {self._channels!r})"
