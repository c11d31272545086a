"""Sessions, tags and sheets of other programs: read with a report of what did not travel, written so that they open.

Everything read here comes from strangers: sizes are measured and never believed, names never become paths.
"""

from tapelog_interchange.archive import Archive
from tapelog_interchange.assemble import Cut, Imported, assemble
from tapelog_interchange.bwf import Bext, decode_bext, encode_bext, read_bext
from tapelog_interchange.cue import CueSheet, CueTrack, read_cue, write_cue
from tapelog_interchange.dawproject import AudioFacts, read_dawproject, read_project, write_dawproject
from tapelog_interchange.errors import InterchangeError, NotPossibleError, RefusedError
from tapelog_interchange.ixml import Ixml, changed_ixml, decode_ixml, encode_ixml, read_ixml
from tapelog_interchange.losses import Loss, losses_json
from tapelog_interchange.riff import write_with_tags
from tapelog_interchange.rpp import read_rpp
from tapelog_interchange.session import Channel, Clip, Marker, Session

__all__ = [
    "Archive",
    "AudioFacts",
    "Bext",
    "Channel",
    "Clip",
    "CueSheet",
    "CueTrack",
    "Cut",
    "Imported",
    "InterchangeError",
    "Ixml",
    "Loss",
    "Marker",
    "NotPossibleError",
    "RefusedError",
    "Session",
    "assemble",
    "changed_ixml",
    "decode_bext",
    "decode_ixml",
    "encode_bext",
    "encode_ixml",
    "losses_json",
    "read_bext",
    "read_cue",
    "read_dawproject",
    "read_ixml",
    "read_project",
    "read_rpp",
    "write_cue",
    "write_dawproject",
    "write_with_tags",
]
