"""Finding the `tapelog up` that runs on this machine: its state file says where and which."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from tapelog_client.client_errors import StackNotRunning

STATE_FILE: Final = "state.json"
STATE_VERSION: Final = 1
DATA_DIR_VARIABLE: Final = "TAPELOG_DATA_DIR"
DATA_DIR_DEFAULT: Final = "tapelog-data"
TENANT_DEFAULT: Final = "local"
"""The tenant of a studio that runs Tapelog for itself."""


def default_data_dir() -> Path:
    """Return the data folder of this shell: the environment's, or `tapelog-data` beside the caller."""
    return Path(os.environ.get(DATA_DIR_VARIABLE) or DATA_DIR_DEFAULT)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackState:
    """Where a running stack listens.

    Attributes
    ----------
    pid : int
        Process of `tapelog up`.
    session, render, notify : str
        Addresses of the services.
    nats_url : str
        Address of the broker.
    identity_dir : str
        Folder of the local issuer's key.
    started : str
        When, RFC 3339.
    console : str
        URL of the review page; empty where none runs.
    """

    pid: int
    session: str
    render: str
    notify: str
    nats_url: str
    identity_dir: str
    started: str
    console: str = ""
    version: int = STATE_VERSION

    def write(self, data_dir: Path) -> None:
        """Write the state file, readable by this user alone, whole or not at all."""
        path = data_dir / STATE_FILE
        part = path.with_name(f".{STATE_FILE}.{os.getpid()}")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(self), file, indent=2)
        part.replace(path)

    @classmethod
    def read(cls, data_dir: Path) -> Self:
        """Read the state file of a stack that is alive.

        Raises
        ------
        StackNotRunning
            There is none, its process is gone, or it is of another version.
        """
        path = data_dir / STATE_FILE
        try:
            values = json.loads(path.read_text())
            found = cls(**values)
        except FileNotFoundError:
            raise StackNotRunning(data_dir, f"there is no {STATE_FILE}") from None
        except (ValueError, TypeError) as error:
            raise StackNotRunning(data_dir, f"{path} cannot be read ({error})") from None
        if found.version != STATE_VERSION:
            raise StackNotRunning(data_dir, f"{path} is of version {found.version}, this client knows {STATE_VERSION}")
        if not _is_alive(found.pid):
            raise StackNotRunning(data_dir, f"process {found.pid} of {path} has ended")
        return found

    @staticmethod
    def remove(data_dir: Path) -> None:
        """Remove the state file: the stack is going down."""
        (data_dir / STATE_FILE).unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
