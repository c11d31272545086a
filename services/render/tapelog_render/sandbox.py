"""Takes away from this process what rendering does not need: other files, the network, new programs, other processes.

Audio comes from strangers and goes through decoders in C. Landlock leaves the files of the installation readable and
the scratch folder writable; seccomp refuses sockets, programs, new processes and the kernel's odd corners. Both come
with the kernel and need no rights and no package.

Sources: Linux Documentation/userspace-api/landlock.rst (ABI 1 to 7) and seccomp_filter.rst; the system call numbers of
asm/unistd_64.h and asm-generic/unistd.h.
"""

import ctypes
import os
import platform
import struct
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_CREATE_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38

_READ: Final = 1 << 2 | 1 << 3  # files, folders
_WRITE: Final = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8  # files; remove folders and files; make folders and files
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_ALL_OF_ABI_1: Final = (1 << 13) - 1
_TCP: Final = 0b11
_SCOPES: Final = 0b11  # abstract sockets, signals to others
_O_PATH: Final = 0o10000000

_SET_MODE_FILTER, _FLAG_TSYNC = 1, 1
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_CLONE_THREAD: Final = 0x00010000
_X32_BIT: Final = 0x40000000


class _Machine(NamedTuple):
    """What seccomp needs to know of a kind of processor; `denied` are system calls by number."""

    audit_arch: int
    seccomp: int
    clone: int
    clone3: int
    denied: tuple[int, ...]


_MACHINES: Final = {
    "x86_64": _Machine(
        0xC000003E, 317, 56, 435,
        # sockets; fork, vfork, execve, execveat; kill, ptrace; roots and mounts; modules; keys; namespaces; pidfds;
        # bpf, perf, userfaultfd; other processes' memory; io_uring
        (41, 42, 43, 44, 46, 49, 50, 53, 288, 57, 58, 59, 322, 62, 101, 155, 161, 165, 166, 175, 176, 313, 246,
         248, 249, 250, 272, 308, 424, 438, 321, 298, 323, 310, 311, 425, 426, 427),
    ),
    "aarch64": _Machine(
        0xC00000B7, 277, 220, 435,
        (198, 203, 202, 206, 211, 200, 201, 199, 242, 221, 281, 129, 117, 41, 51, 40, 39, 105, 106, 273, 104,
         217, 218, 219, 97, 268, 424, 438, 280, 241, 282, 270, 271, 425, 426, 427),
    ),
}  # fmt: skip

_SYSTEM: Final = (
    "/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/proc/self", "/sys/devices/system/cpu",
    "/dev/urandom",
)  # fmt: skip


class Confinement(NamedTuple):
    """What holds: the version of Landlock (0 is none) and whether system calls are filtered."""

    landlock_abi: int
    seccomp: bool

    @property
    def is_whole(self) -> bool:
        """Whether files, network and programs are all out of reach."""
        return self.landlock_abi > 0 and self.seccomp


def installation() -> tuple[Path, ...]:
    """Return what Python reads from while it runs: itself, its packages, shared libraries."""
    own = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), *(path for path in sys.path if path), *_SYSTEM}
    return tuple(sorted(path for path in map(Path, own) if path.exists()))


def confine(*, read: Iterable[Path], write: Iterable[Path]) -> Confinement:
    """Confine this process and all its threads for good.

    Parameters
    ----------
    read : iterable of Path
        Files and folders that stay readable.
    write : iterable of Path
        Folders that stay readable and writable.

    Returns
    -------
    Confinement
        What the kernel offered: an old one has neither, a container's profile may refuse both.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return Confinement(_landlock(libc, tuple(read), tuple(write)), _seccomp(libc))


def _landlock(libc: ctypes.CDLL, read: Iterable[Path], write: Iterable[Path]) -> int:
    abi = int(libc.syscall(_LANDLOCK_CREATE, None, 0, _CREATE_VERSION))
    if abi < 1:
        return 0
    writable = _READ | _WRITE | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0)
    handled = (
        _ALL_OF_ABI_1 | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0) | (_IOCTL_DEV if abi >= 5 else 0)
    )
    attributes = struct.pack("<QQQ", handled, _TCP, _SCOPES)[: 8 if abi < 4 else 16 if abi < 6 else 24]
    rules = int(libc.syscall(_LANDLOCK_CREATE, attributes, len(attributes), 0))
    if rules < 0:
        return 0
    try:
        for path, access in (*((path, _READ) for path in read), *((path, writable) for path in write)):
            _allow(libc, rules, path, access)
        _allow(libc, rules, Path(os.devnull), 1 << 1 | 1 << 2)
        return abi if libc.syscall(_LANDLOCK_RESTRICT, rules, 0) == 0 else 0
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: Path, access: int) -> None:
    if not path.is_dir():
        access &= 1 << 1 | 1 << 2 | _TRUNCATE
    beneath = os.open(path, _O_PATH | os.O_CLOEXEC)
    try:
        if libc.syscall(_LANDLOCK_ADD, rules, _PATH_BENEATH, struct.pack("<Qi", access, beneath), 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"cannot allow {path} to the engine: {os.strerror(number)}")
    finally:
        os.close(beneath)


def _seccomp(libc: ctypes.CDLL) -> bool:
    machine = _MACHINES.get(platform.machine())
    if machine is None or sys.maxsize < 2**32:
        return False
    program = _program(machine)
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    return int(libc.syscall(machine.seccomp, _SET_MODE_FILTER, _FLAG_TSYNC, header)) == 0


def _program(machine: _Machine) -> bytes:
    """Return a filter in the kernel's packet-filter code: threads may be made, processes not."""
    load, equal, at_least, any_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    number, arch, first_argument = 0, 4, 16
    refuse = _ERRNO | _EPERM

    def step(code: int, if_true: int, if_false: int, value: int) -> bytes:
        return struct.pack("<HBBI", code, if_true, if_false, value)

    steps = [
        step(load, 0, 0, arch),
        step(equal, 1, 0, machine.audit_arch),
        step(answer, 0, 0, refuse),
        step(load, 0, 0, number),
        step(at_least, 0, 1, _X32_BIT),
        step(answer, 0, 0, refuse),
        step(equal, 0, 1, machine.clone3),
        step(answer, 0, 0, _ERRNO | _ENOSYS),  # the C library then falls back to clone, whose flags can be seen
    ]
    for call in machine.denied:
        steps += [step(equal, 0, 1, call), step(answer, 0, 0, refuse)]
    steps += [
        step(equal, 0, 3, machine.clone),
        step(load, 0, 0, first_argument),
        step(any_bit, 1, 0, _CLONE_THREAD),
        step(answer, 0, 0, refuse),
        step(answer, 0, 0, _ALLOW),
    ]
    return b"".join(steps)
