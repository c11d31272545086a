"""File systems of a test's own: an image that a power cut can be made of, and a small one that fills up. Needs root."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

IMAGE_MIB: Final = 600
TOOLS: Final = ("mount", "umount", "mkfs.ext4", "losetup")


def run(*command: str | Path) -> None:
    """Run a program that must succeed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


@dataclass
class Disk:
    """A mounted ext4 image.

    Attributes
    ----------
    folder : Path
        Where it is mounted.
    image : Path
        The file that is its medium: what has not been synced is not in it.
    """

    folder: Path
    image: Path

    def snapshot(self, path: Path) -> None:
        """Copy the medium as it is now, without what the kernel still holds back: what a power cut leaves."""
        shutil.copyfile(self.image, path)

    def replace(self, image: Path) -> None:
        """Take the medium out and put another one in."""
        unmount(self.folder)
        self.image.unlink()
        self.image = image
        run("mount", "-o", "loop", image, self.folder)


@contextmanager
def ext4_disk(folder: Path) -> Iterator[Disk]:
    """Make and mount an ext4 image in a folder."""
    image, mounted = folder / "image-0", folder / "disk"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(IMAGE_MIB * 1024**2)
    run("mkfs.ext4", "-q", image)
    mount_or_skip("-o", "loop", image, mounted)
    disk = Disk(mounted, image)
    try:
        yield disk
    finally:
        unmount(mounted)
        disk.image.unlink()


@contextmanager
def memory_disk(folder: Path, mib: int) -> Iterator[Path]:
    """Mount a file system of so many MiB in memory; `resize` changes it."""
    folder.mkdir(parents=True, exist_ok=True)
    mount_or_skip("-t", "tmpfs", "-o", f"size={mib}m,mode=0700", "tmpfs", folder)
    try:
        yield folder
    finally:
        unmount(folder)


def resize(folder: Path, mib: int) -> None:
    """Give a file system in memory another size."""
    run("mount", "-o", f"remount,size={mib}m", folder)


def mount_or_skip(*arguments: str | Path) -> None:
    """Mount, or skip the test with the system's reason, as in a container without the right to."""
    try:
        run("mount", *arguments)
    except OSError as failure:
        pytest.skip(f"cannot mount: {failure}")


def unmount(folder: Path) -> None:
    """Unmount, whoever still has a file open there."""
    run("umount", "-l", folder)
