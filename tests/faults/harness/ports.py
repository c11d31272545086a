"""Ports of this machine."""

import socket


def free_port() -> int:
    """Return a port that nobody has; whoever wants it should take it soon."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
