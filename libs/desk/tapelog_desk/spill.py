"""A signal kept on disk between passes: float32, as the core hands it over, so nothing is lost."""

from array import array
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

import numpy as np

from tapelog_desk.errors import OutputError
from tapelog_desk.files.decoders import Samples


class Spill:
    """An unnamed temporary file of samples on the float32 grid; gone when it is closed, however the process ends.

    Parameters
    ----------
    folder : Path
        Where it lies: beside the output, so that it fits where the output fits.
    channels : int
        Of every block.
    """

    def __init__(self, folder: Path, channels: int) -> None:
        self._channels = channels
        self._folder = folder
        try:
            self._file = TemporaryFile(dir=folder)  # noqa: SIM115  # closed by close()
        except OSError as error:
            raise self._error(error) from error
        self.frames = 0
        self._blocks = array("q")  # 8 bytes per block: 3 KB per hour

    def _error(self, error: OSError) -> OutputError:
        problem = f"no temporary file can be written in {self._folder}: {error.strerror or error}"
        return OutputError("OUTPUT_NOT_WRITABLE", problem, "check the folder, its rights and the free space")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, samples: Samples) -> None:
        """Append a block ``[channels, frames]`` that is on the float32 grid."""
        try:
            self._file.write(np.ascontiguousarray(samples, dtype="<f4").data)
        except OSError as error:
            raise self._error(error) from error
        self._blocks.append(samples.shape[1])
        self.frames += samples.shape[1]

    def clear(self) -> None:
        """Forget everything that was written."""
        self._file.seek(0)
        self._file.truncate()
        del self._blocks[:]
        self.frames = 0

    def blocks(self) -> Iterator[Samples]:
        """Yield everything from the start as float64 blocks, as they were written."""
        self._file.seek(0)
        for frames in self._blocks:
            kept = np.empty((self._channels, frames), dtype="<f4")
            if self._file.readinto(kept.data) != kept.nbytes:
                raise self._error(OSError("it is shorter than what was written"))
            yield kept.astype(np.float64)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
