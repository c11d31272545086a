"""The server's configuration file, embedded or on its own, and what of it is pinned in the data folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .errors import NatsError

if TYPE_CHECKING:  # it reads files with what is here
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
MAX_MEMORY_STORE_BYTES: Final = 64 * 1024 * 1024
"""No stream of ours is kept in memory; the server's own consumer state is."""
MAX_STANDALONE_CONNECTIONS: Final = 1024
"""A server of its own has workers on other machines and outside tools to serve; the account's limit is the same."""
TRUST_FILE: Final = "trust.conf"
PINNED_FILE: Final = "certificates.conf"
"""Who may connect: fingerprints of certificates. nats-server reads no revocation lists; what is not pinned is out."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class StandalonePlace:
    """
    Where a server that runs on its own listens and finds its files.

    Attributes
    ----------
    listen, monitor
        `address:port` of clients, and of the monitoring page.
    store_dir
        Folder of the streams.
    certificate, key
        PEM files of the server.
    client_ca
        PEM authorities of its clients' certificates.
    """

    listen: str
    monitor: str
    store_dir: Path
    certificate: Path
    key: Path
    client_ca: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """
    The other servers of a server that is one of several.

    Attributes
    ----------
    server_name
        Its own name, differing between them; `$NAME` is taken from the environment.
    listen
        `address:port` of routes.
    routes
        `host:port` of every server, itself among them; their certificates have to be of these hosts.
    """

    server_name: str
    listen: str
    routes: tuple[str, ...]


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def render_config(folder: Path, pinned: Pinned, trust: ServerTrust, *, syncs: bool = True) -> str:
    """Make the embedded server's configuration: everything listens on loopback."""
    return f"""\
server_name: tapelog
listen: "127.0.0.1:{pinned.port}"
http: "127.0.0.1:-1"
ports_file_dir: {_quoted(folder)}
log_file: {_quoted(folder / "nats-server.log")}
logfile_size_limit: {LOG_FILE_BYTES}
logfile_max_num: 2
{_limits(MAX_CONNECTIONS)}
{_jetstream(folder / "store", pinned.store_bytes, syncs=syncs)}
{render_trust(trust)}"""


def render_standalone_config(place: StandalonePlace, *, store_bytes: int, cluster: Cluster | None = None) -> str:
    """
    Make the configuration of a server that runs on its own; it includes `TRUST_FILE` and `PINNED_FILE` from its folder.

    The same limits as the embedded server's, TLS 1.3 with certificates on both sides for every client, its log on
    standard error, and the monitoring page, which asks nobody who they are, on loopback.
    """
    return f"""\
# Made by `tapelog broker-init`; run it again to change this file.
server_name: {"tapelog" if cluster is None else cluster.server_name}
listen: {_quoted(place.listen)}
http: {_quoted(place.monitor)}
tls {{
  cert_file: {_quoted(place.certificate)}
  key_file: {_quoted(place.key)}
  ca_file: {_quoted(place.client_ca)}
  verify: true
  include {PINNED_FILE}
  min_version: "1.3"
  timeout: 2
}}
{_limits(MAX_STANDALONE_CONNECTIONS)}
{_jetstream(place.store_dir, store_bytes)}
{"" if cluster is None else _routes(place, cluster)}include {TRUST_FILE}
"""


def _routes(place: StandalonePlace, cluster: Cluster) -> str:
    """Make the part about the other servers: certificates on both sides of every route."""
    routes = "\n".join(f"    {_quoted(f'nats-route://{host}')}" for host in cluster.routes)
    return f"""\
cluster {{
  name: tapelog
  listen: {_quoted(cluster.listen)}
  tls {{
    cert_file: {_quoted(place.certificate)}
    key_file: {_quoted(place.key)}
    ca_file: {_quoted(place.client_ca)}
    verify: true
    min_version: "1.3"
    timeout: 2
  }}
  routes: [
{routes}
  ]
}}
"""


def render_trust(trust: ServerTrust) -> str:
    """Make the part that says whose users are recognised; it holds no secret."""
    return f"""\
operator: {trust.operator_jwt}
system_account: {trust.system_account}
resolver: MEMORY
resolver_preload: {{
  {trust.account}: {trust.account_jwt}
  {trust.system_account}: {trust.system_account_jwt}
}}
"""


def render_pinned(fingerprints: Iterable[str]) -> str:
    """Make the list of the certificates that may connect; after a change the server reloads it on SIGHUP."""
    return f"pinned_certs: {json.dumps(sorted(fingerprints))}\n"


def _limits(connections: int) -> str:
    return f"""\
max_payload: {MAX_PAYLOAD_BYTES}
max_control_line: {MAX_CONTROL_LINE_BYTES}
max_connections: {connections}
max_pending: {MAX_PENDING_BYTES}
write_deadline: "5s"
ping_interval: "10s"
ping_max: 2"""


def _jetstream(store_dir: Path, store_bytes: int, *, syncs: bool = True) -> str:
    """`sync_interval: always` because a power cut with the server's default lost seconds of acknowledged events."""
    sync = "  sync_interval: always\n" if syncs else ""
    return f"""\
jetstream {{
  store_dir: {_quoted(store_dir)}
  max_file_store: {store_bytes}
  max_memory_store: {MAX_MEMORY_STORE_BYTES}
{sync}}}"""


def _quoted(value: str | Path) -> str:
    return json.dumps(str(value))
