"""A signal kept on disk between passes: float32, as the core hands it over, so nothing is lost."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

import numpy as np

from tapelog_desk.errors import OutputError
from tapelog_desk.files.decoders import Samples
from tapelog_desk.limits import BLOCK_FRAMES


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
            self._file.write(np.ascontiguousarray(samples.T, dtype="<f4").tobytes())
        except OSError as error:
            raise self._error(error) from error
        self.frames += samples.shape[1]

    def clear(self) -> None:
        """Forget everything that was written."""
        self._file.seek(0)
        self._file.truncate()
        self.frames = 0

    def blocks(self) -> Iterator[Samples]:
        """Yield everything from the start as float64 blocks."""
        self._file.seek(0)
        frame_bytes = 4 * self._channels
        while raw := self._file.read(BLOCK_FRAMES * frame_bytes):
            yield np.ascontiguousarray(np.frombuffer(raw, dtype="<f4").reshape(-1, self._channels).T, dtype=np.float64)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
