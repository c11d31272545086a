"""New keys for what stands still meanwhile: the anchors of the logs, and the broker's operator and account."""

from pathlib import Path

from tapelog_chassis.anchors import rotate_anchor_key
from tapelog_chassis.anchors.signing import key_path
from tapelog_chassis.nats import NatsIdentity
from tapelog_chassis.topology import CONTEXTS

from tapelog_cli.backup.layout import DeploymentLayout, layout_of
from tapelog_cli.errors import CliError, UsageError
from tapelog_cli.installation.data_folder import DataFolder


class StillRunning(CliError):  # noqa: N818 - names a state
    """What uses the keys has to be stopped first."""


def rotate_anchor_keys(folder: Path) -> list[str]:
    """
    Have the anchors of every log signed with a new key; return the logs.

    Raises
    ------
    StillRunning
        A service writes its journal; nothing of that log was changed.
    LogTampered
        A journal is not right, and is not handed over.
    UsageError
        There is no such key.
    """
    layout, done = layout_of(folder), []
    for context in CONTEXTS:
        if not key_path(layout.anchor_keys(context), context).exists():
            continue
        try:
            rotate_anchor_key(layout.anchors(context), layout.anchor_keys(context), context)
        except BlockingIOError:
            raise StillRunning(
                f"the journal of {context} is being written", hint="stop the service, or `tapelog up`, and ask again"
            ) from None
        done.append(context)
    if not done:
        raise UsageError(f"{folder} has no keys of anchors", hint="services make them at their first start")
    return done


def rotate_broker_keys(folder: Path) -> tuple[str, str]:
    """
    Replace the keys of operator and account; return the new operator, and what has to be done now.

    Raises
    ------
    DataFolderInUse
        A stack runs on the folder.
    UsageError
        There are no such keys.
    """
    layout = layout_of(folder)
    if not (layout.keys / "keys" / "account.nk").exists():
        raise UsageError(f"{folder} has no keys of a broker", hint="name the folder of `tapelog up` or `broker-init`")
    if isinstance(layout, DeploymentLayout):
        NatsIdentity.rotate(layout.keys)
        for creds in (folder / "creds").glob("*.creds"):
            creds.unlink()
        return _operator(layout.keys), (
            f"`tapelog broker-init --out {folder}` makes the credentials, then start the broker and all parts again"
        )
    with DataFolder(folder):
        NatsIdentity.rotate(layout.keys)
    return _operator(layout.keys), "credentials are made anew at the next start; outside tools need new ones"


def _operator(keys: Path) -> str:
    return NatsIdentity.create(keys).operator
