"""The embedded server's configuration file, and what of it is pinned in the data folder."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from .errors import NatsError
from .identity import ServerTrust

STORE_SHARE: Final = 0.70
"""Part of the free disk the server may fill: a full disk stops it, a full stream only refuses."""
MIN_STORE_BYTES: Final = 256 * 1024 * 1024
"""Less than this is not worth starting on."""
MAX_STORE_BYTES: Final = 256 * 1024**3
MAX_PAYLOAD_BYTES: Final = 1024 * 1024
MAX_CONTROL_LINE_BYTES: Final = 16 * 1024
"""A connection presents its permissions in one line; the server's default of 4 KiB is too short for notify's."""
MAX_CONNECTIONS: Final = 256
MAX_PENDING_BYTES: Final = 32 * 1024 * 1024
"""Unsent bytes per client before the server drops it as too slow."""
LOG_FILE_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pinned:
    """
    What must stay the same over restarts: clients know the port, and stream sizes follow from the store's size.

    Attributes
    ----------
    port
        -1 until the first start has chosen one.
    store_bytes
        The server's max_file_store.
    """

    port: int
    store_bytes: int

    @classmethod
    def load(cls, path: Path, *, port: int | None, store_bytes: int | None) -> Pinned:
        """Read the file, or choose at the first start; `NatsError` if the disk is too full to begin."""
        if path.exists():
            kept = json.loads(path.read_text())
            return cls(port=port or kept["port"], store_bytes=kept["store_bytes"])
        chosen = store_bytes or min(MAX_STORE_BYTES, int(shutil.disk_usage(path.parent).free * STORE_SHARE))
        if chosen < MIN_STORE_BYTES:
            raise NatsError(
                f"{path.parent} has room for {chosen} bytes of events, at least {MIN_STORE_BYTES} are needed: free disk"
            )
        return cls(port=port or -1, store_bytes=chosen)

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        write_private(path, json.dumps(asdict(self)))


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def render_config(folder: Path, pinned: Pinned, trust: ServerTrust) -> str:
    """
    Make the configuration's text.

    Everything listens on loopback. `sync_interval: always` because a power cut with the server's default lost every
    event acknowledged in the last seconds.
    """
    quoted = json.dumps
    return f"""\
server_name: tapelog
listen: "127.0.0.1:{pinned.port}"
http: "127.0.0.1:-1"
ports_file_dir: {quoted(str(folder))}
log_file: {quoted(str(folder / "nats-server.log"))}
logfile_size_limit: {LOG_FILE_BYTES}
logfile_max_num: 2
max_payload: {MAX_PAYLOAD_BYTES}
max_control_line: {MAX_CONTROL_LINE_BYTES}
max_connections: {MAX_CONNECTIONS}
max_pending: {MAX_PENDING_BYTES}
write_deadline: "5s"
ping_interval: "10s"
ping_max: 2
jetstream {{
  store_dir: {quoted(str(folder / "store"))}
  max_file_store: {pinned.store_bytes}
  max_memory_store: 67108864
  sync_interval: always
}}
operator: {trust.operator_jwt}
system_account: {trust.system_account}
resolver: MEMORY
resolver_preload: {{
  {trust.account}: {trust.account_jwt}
  {trust.system_account}: {trust.system_account_jwt}
}}
"""
