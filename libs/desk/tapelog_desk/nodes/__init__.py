"""What has been rendered before: signals inside a mix or a master, kept by the digest of everything they depend on."""

from tapelog_desk.nodes.signals import NodeCorrupt
from tapelog_desk.nodes.store import NodeStore

__all__ = ["NodeCorrupt", "NodeStore"]
