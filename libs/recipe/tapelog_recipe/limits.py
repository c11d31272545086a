"""How large a recipe may be. Every limit is checked before anything is rendered."""

from typing import Final

TEXT_MAX_BYTES: Final = 1024 * 1024
"""Bytes of a recipe as YAML or JSON: a hundred times a large song, small enough to read in a second."""

MESSAGE_MAX_BYTES: Final = 160 * 1024
"""Bytes of a recipe as protobuf: one fits into one event of the log, whose messages end at 256 KiB."""

NESTING_MAX: Final = 16
"""Lists and maps inside one another; a recipe needs 7."""

NODES_MAX: Final = 200_000
"""Values, lists and maps in a YAML text."""

TRACKS_MAX: Final = 256
"""Tracks of a mix: as many sources as a session may hold."""

BUSES_MAX: Final = 64
"""Buses of a mix."""

CHAIN_MAX: Final = 32
"""Inserts in one chain."""

SENDS_MAX: Final = 16
"""Sends of one track or bus."""

BANDS_MAX: Final = 16
"""Bands of one equaliser."""

SPLIT_MAX_HZ: Final = 16_000.0
"""Highest crossover of a recipe, whatever the sample rate."""

GAIN_POINTS_MAX: Final = 8_192
"""Points of fader automation on one track."""

MOVING_SETTINGS_MAX: Final = 32
"""Settings that move, of one chain."""

TAGS_MAX: Final = 32
"""Tags, or printed effects, of one track."""

OUTPUTS_MAX: Final = 8
"""Files of one render."""

SELECTORS_MAX: Final = 256
"""Tracks and tags named by one list of an alternate, and fader offsets of it."""

FILE_NAME_MAX: Final = 1_024
"""Characters of a source's file name."""

SONG_MAX_S: Final = 4 * 3600
"""Seconds: the longest mix, and the latest place where a source may start."""
