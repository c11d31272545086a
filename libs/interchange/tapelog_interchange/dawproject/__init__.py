"""DAWproject 1.0: the open exchange format of sessions between programs."""

from tapelog_interchange.dawproject.read import read_dawproject, read_project
from tapelog_interchange.dawproject.write import AudioFacts, write_dawproject

__all__ = ["AudioFacts", "read_dawproject", "read_project", "write_dawproject"]
