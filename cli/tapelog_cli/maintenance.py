"""The broker of a data folder for those who look after it: the one that runs, or one started for the purpose."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from nats.aio.client import Client
from tapelog_chassis.nats import EmbeddedNats, connected
from tapelog_chassis.nats.identity import NatsIdentity
from tapelog_chassis.nats.permissions import MAINTENANCE
from tapelog_client.client_errors import StackNotRunning
from tapelog_client.local import StackState

from tapelog_cli.data_folder import DataFolder
from tapelog_cli.errors import CliError

USER: Final = "maintenance"
CREDENTIALS_S: Final = 12 * 3600.0
"""How long the user lives that is made for one command."""


class NoSuchFolder(CliError):  # noqa: N818 - names a state
    """There is no data folder to look after."""


@asynccontextmanager
async def broker_of(data_dir: Path) -> AsyncIterator[Client]:
    """Connect to a folder's broker as `MAINTENANCE` may; start it for the while if nothing runs on the folder.

    Raises
    ------
    NoSuchFolder
        The folder has no broker's store.
    DataFolderInUse
        Something that is no running stack has the folder, such as a stack that is starting.
    """
    if not (data_dir / "nats" / "keys").is_dir():
        raise NoSuchFolder(
            f"{data_dir} is no data folder of `tapelog up`: it has no nats/keys", hint="name one with --data-dir"
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
