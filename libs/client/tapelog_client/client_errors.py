"""What can go wrong on the client's own side; what a service refused is in `errors`."""

from pathlib import Path


class ClientError(Exception):
    """Base of the errors that arise without a service's refusal.

    Attributes
    ----------
    hint : str
        What to do next, in one line.
    """

    hint = ""


class StackNotRunning(ClientError):  # noqa: N818 - names a state
    """No `tapelog up` runs on the data folder."""

    hint = "start `tapelog up`, or name its folder with --data-dir or TAPELOG_DATA_DIR"

    def __init__(self, data_dir: Path, reason: str) -> None:
        super().__init__(f"no running Tapelog in {data_dir}: {reason}")
        self.data_dir = data_dir


class AddressMissing(ClientError):  # noqa: N818 - names a state
    """A method of a service was called whose address the client was not given."""

    hint = "give its address to Tapelog.connect, or use Tapelog.local"

    def __init__(self, service: str) -> None:
        super().__init__(f"this client has no address of the {service} service")
        self.service = service


class WaitTimeout(ClientError):  # noqa: N818 - names a state
    """What was waited for did not happen in time; it may still, and waiting again is safe."""

    hint = "wait again, or look at `tapelog status`"

    def __init__(self, what: str, *, timeout_s: float) -> None:
        super().__init__(f"{what} after {timeout_s:g} s")
        self.timeout_s = timeout_s


class RenderNotDone(ClientError):  # noqa: N818 - names a state
    """A render ended without a result."""

    hint = "read the reason, then propose a new version or queue a new job"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} was not rendered: {reason}")
        self.name = name
        self.reason = reason


class DigestMismatch(ClientError):  # noqa: N818 - names a state
    """Downloaded bytes are not the ones asked for; nothing was kept."""

    hint = "download again; if it happens twice, let `tapelog doctor` look at the object store"

    def __init__(self, expected_sha256: str, actual_sha256: str) -> None:
        super().__init__(f"downloaded bytes have SHA-256 {actual_sha256}, not {expected_sha256}")
        self.expected_sha256 = expected_sha256
        self.actual_sha256 = actual_sha256
