"""The broker: an embedded server, identities, connections, pull consumers and provisioning."""

from .connection import RECONNECT_CROWD_S, close, connect, connected
from .delivery import Delivery
from .errors import (
    ConsumerGone,
    JetStreamApiError,
    NatsError,
    PortInUse,
    ServerBinaryMissing,
    ServerStartFailed,
    ServerTooOld,
    StoreLocked,
    TopologyDrift,
    Unreachable,
    UnsafeServer,
)
from .identity import NatsIdentity, UserMint
from .ordered import OrderedReader
from .permissions import SERVICES, Permissions, inbox_prefix, subscriber
from .provision import allowed_store_bytes, delete_consumer, ensure_consumer, ensure_stream, provision
from .puller import Puller
from .server import EmbeddedNats

__all__ = [
    "RECONNECT_CROWD_S",
    "SERVICES",
    "ConsumerGone",
    "Delivery",
    "EmbeddedNats",
    "JetStreamApiError",
    "NatsError",
    "NatsIdentity",
    "OrderedReader",
    "Permissions",
    "PortInUse",
    "Puller",
    "ServerBinaryMissing",
    "ServerStartFailed",
    "ServerTooOld",
    "StoreLocked",
    "TopologyDrift",
    "Unreachable",
    "UnsafeServer",
    "UserMint",
    "allowed_store_bytes",
    "close",
    "connect",
    "connected",
    "delete_consumer",
    "ensure_consumer",
    "ensure_stream",
    "inbox_prefix",
    "provision",
    "subscriber",
]
