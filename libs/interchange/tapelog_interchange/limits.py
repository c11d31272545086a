"""The limits on foreign files. Every one is checked against what is read, never against what a header declares."""

from typing import Final

ARCHIVE_ENTRIES_MAX: Final = 10_000
"""Entries of a ZIP. A session of 500 channels has some 2,000."""

ARCHIVE_EXTRACT_BYTES_MAX: Final = 8 * 1024**3
"""Bytes that one import takes out of a ZIP in all."""

XML_BYTES_MAX: Final = 64 * 1024**2
"""Bytes of one XML text. A session with 500,000 automation points has about 40 MB."""

XML_DEPTH_MAX: Final = 64
"""Levels of elements. Folders in folders are the only reason for many."""

XML_ELEMENTS_MAX: Final = 650_000
"""Elements of one XML text: those of a session with 500,000 automation points, and a third as many more."""

XML_ATTRIBUTES_MAX: Final = 256
"""Attributes of one element; a plain one has ten."""

XML_PIECE_BYTES_MAX: Final = 1024**2
"""Bytes of one tag with its attributes, or of one comment: what the parser holds until its end is found. Plug-in states
lie in files of their own."""

NAME_MAX: Final = 1_024
"""Characters of a path inside an archive."""

RPP_BYTES_MAX: Final = 64 * 1024**2
"""Bytes of one Reaper project; plug-in states are most of it."""

RPP_DEPTH_MAX: Final = 64
"""Levels of blocks of a Reaper project."""

CHANNELS_MAX: Final = 1_000
"""Channels of one imported session."""

RIFF_CHUNKS_MAX: Final = 1_000
"""Chunks of one WAV file."""

TAG_BYTES_MAX: Final = 4 * 1024**2
"""Bytes of one bext or iXML chunk."""

CUE_BYTES_MAX: Final = 1024**2
"""Bytes of one cue sheet."""
