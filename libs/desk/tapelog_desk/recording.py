"""A recording in a temporary file, read and written anywhere: what is repaired does not have to fit in memory."""

from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from tapelog_dsp.repair.store import BLOCK_FRAMES

from tapelog_desk.errors import OutputError
from tapelog_desk.files.decoders import Samples

_SAMPLE_BYTES = 8


class FileStore:
    """Samples in full precision, one channel after the other, in an unnamed file: gone when it is closed.

    Parameters
    ----------
    folder : Path
        Where it lies; it takes 8 bytes a sample.
    channels, frames : int
        Its size; silence until it is written.
    """

    def __init__(self, folder: Path, channels: int, frames: int) -> None:
        self.channels, self.frames, self.block_frames = channels, frames, BLOCK_FRAMES
        self._folder = folder
        try:
            self._file = TemporaryFile(dir=folder)  # noqa: SIM115  # closed by close()
            self._file.truncate(_SAMPLE_BYTES * channels * frames)
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> OutputError:
        problem = f"no temporary file can be written in {self._folder}: {error.strerror or error}"
        return OutputError("OUTPUT_NOT_WRITABLE", problem, "check the folder, its rights and the free space")

    def read(self, start: int, stop: int) -> Samples:
        """Return the frames from `start` to `stop`, all channels."""
        samples = np.empty((self.channels, max(stop - start, 0)))
        for channel, row in enumerate(samples):
            self._file.seek(_SAMPLE_BYTES * (channel * self.frames + start))
            if self._file.readinto(row.data) != row.nbytes:
                raise self._error(OSError("it is shorter than what was written"))
        return samples

    def write(self, start: int, samples: Samples, *, channel: int = 0) -> None:
        """Replace frames from `start` on, of as many channels as given, from `channel` on."""
        try:
            for number, row in enumerate(samples, channel):
                self._file.seek(_SAMPLE_BYTES * (number * self.frames + start))
                self._file.write(np.ascontiguousarray(row).data)
        except OSError as error:
            raise self._error(error) from error

    def new(self, channels: int) -> "FileStore":
        """Return an empty one beside this."""
        return FileStore(self._folder, channels, self.frames)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
