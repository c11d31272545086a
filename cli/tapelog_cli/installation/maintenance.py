"""The broker of a data folder for those who look after it: the one that runs, or one started for the purpose."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from nats.aio.client import Client
from tapelog_chassis.nats import EmbeddedNats, Unreachable, connected
from tapelog_chassis.nats.identity import NatsIdentity
from tapelog_chassis.nats.permissions import MAINTENANCE
from tapelog_chassis.rpc.grpc_options import CertificatePair
from tapelog_client.client_errors import StackNotRunning
from tapelog_client.local import StackState

from tapelog_cli.commands.deployment import BrokerUnreachable
from tapelog_cli.errors import CliError
from tapelog_cli.installation.data_folder import DataFolder
from tapelog_cli.installation.deployment_folder import CHOICES_FILE, Choices

USER: Final = "maintenance"
CREDENTIALS_S: Final = 12 * 3600.0
"""How long the user lives that is made for one command."""


class NoSuchFolder(CliError):  # noqa: N818 - names a state
    """There is no data folder to look after."""


@asynccontextmanager
async def broker_of(data_dir: Path, *, nats_url: str = "") -> AsyncIterator[Client]:
    """Connect to a folder's broker as `MAINTENANCE` may; start it for the while if nothing runs on the folder.

    The broker of a deployment is one that runs; `nats_url` says where, if not on its port of this machine.

    Raises
    ------
    NoSuchFolder
        The folder has no broker's store.
    DataFolderInUse
        Something that is no running stack has the folder, such as a stack that is starting.
    """
    if (data_dir / CHOICES_FILE).is_file():
        async with _of_deployment(data_dir, nats_url) as connection:
            yield connection
        return
    if not (data_dir / "nats" / "keys").is_dir():
        raise NoSuchFolder(
            f"{data_dir} is no folder of `tapelog up` or `tapelog broker-init`: it has neither nats/keys nor "
            f"{CHOICES_FILE}",
            hint="name one with --data-dir",
        )
    try:
        url = StackState.read(data_dir).nats_url
    except StackNotRunning:
        with DataFolder(data_dir):
            async with EmbeddedNats(data_dir) as nats, _connected(nats.url, nats.identity) as connection:
                yield connection
        return
    async with _connected(url, NatsIdentity.create(data_dir / "nats")) as connection:
        yield connection


@asynccontextmanager
async def _connected(url: str, identity: NatsIdentity) -> AsyncIterator[Client]:
    creds = identity.mint_user(USER, MAINTENANCE, CREDENTIALS_S)
    async with connected(url, name=USER, creds=creds) as connection:
        yield connection


@asynccontextmanager
async def _of_deployment(folder: Path, nats_url: str) -> AsyncIterator[Client]:
    """Connect to the broker of a deployment, with the certificate of whoever provisions."""
    url = nats_url or f"tls://127.0.0.1:{Choices.load(folder).nats_port}"
    creds = NatsIdentity.create(folder).mint_user(USER, MAINTENANCE, CREDENTIALS_S)
    pair = CertificatePair(folder / "tls" / "admin.pem", folder / "tls" / "admin.key")
    try:
        async with connected(
            url, name=USER, creds=creds, tls_ca=folder / "tls" / "ca.pem", tls_pair=pair
        ) as connection:
            yield connection
    except Unreachable as failure:
        raise BrokerUnreachable(str(failure), hint="start the broker, or say with --nats-url where it is") from failure
