"""How large and how strange an audio file may be; docs/dsp.md publishes these numbers."""

from typing import Final

FILE_MAX_BYTES: Final = 8 * 1024**3
"""Bytes of one source at the desk: four hours of stereo in 32-bit float at 48 kHz are 5.2 GiB.

An upload to the services ends at 2 GiB."""

CHANNELS_MAX: Final = 64
"""Channels of a file that is measured."""

MIX_CHANNELS_MAX: Final = 2
"""Channels of a source that is mixed or mastered: mono or stereo."""

SAMPLE_RATE_MIN_HZ: Final = 8_000
SAMPLE_RATE_MAX_HZ: Final = 384_000
"""Sample rates that are read."""

LENGTH_MAX_S: Final = 4 * 3600
"""Seconds of one source."""

SAMPLES_MAX: Final = 1_500_000_000
"""Frames times channels of one source: the bound on what a small file may decode to."""

LEVEL_MAX: Final = 1_000.0
"""Sample magnitude: +60 dBFS. What is louder is not audio but a wrongly read file."""

RIFF_CHUNKS_MAX: Final = 10_000
"""Chunks before the samples of a WAV or AIFF file."""

ID3_MAX_BYTES: Final = 16 * 1024**2
"""Bytes of an ID3 tag before the audio: room for a cover picture."""

BLOCK_FRAMES: Final = 32_768
"""Frames decoded at a time: large enough that calls cost nothing, half a MiB of stereo."""

METER_RATE_MAX_HZ: Final = 192_000
"""Highest sample rate that loudness and true peak are defined for here; files above it get sample peaks only."""
