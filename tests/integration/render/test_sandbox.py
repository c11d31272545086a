"""The engine's sandbox holds on this kernel: real files, sockets, programs and processes are out of its reach."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import json, os, socket, sys, threading
from pathlib import Path
from tapelog_render.sandbox import confine, installation

read, write, secret = map(Path, sys.argv[1:4])
before = os.open(secret, os.O_RDONLY)
os.close(before)
confined = confine(read=(*installation(), read), write=(write,))

def tried(action):
    try:
        action()
    except OSError as error:
        return error.errno
    return 0

told = {
    "abi": confined.landlock_abi, "seccomp": confined.seccomp,
    "read source": tried(lambda: (read / "a").read_bytes()),
    "write source": tried(lambda: (read / "a").write_bytes(b"x")),
    "read secret": tried(lambda: secret.read_bytes()),
    "list secret": tried(lambda: os.listdir(secret.parent)),
    "read passwd": tried(lambda: open("/etc/passwd").read()),
    "write work": tried(lambda: (write / "b").write_bytes(b"x")),
    "rename in work": tried(lambda: (write / "b").rename(write / "c")),
    "make folder": tried(lambda: (write / "d").mkdir()),
    "write elsewhere": tried(lambda: secret.with_name("new").write_bytes(b"x")),
    "link out": tried(lambda: os.link(secret, write / "e")),
    "tcp": tried(lambda: socket.create_connection(("127.0.0.1", 9))),
    "udp": tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
    "unix": tried(lambda: socket.socket(socket.AF_UNIX)),
    "exec": tried(lambda: os.execv("/bin/true", ["true"])),
    "fork": tried(os.fork),
    "spawn": tried(lambda: os.posix_spawn("/bin/true", ["true"], {})),
    "kill parent": tried(lambda: os.kill(os.getppid(), 0)),
    "unshare": tried(lambda: os.unshare(0x10000000)) if hasattr(os, "unshare") else 1,
}
ran = []
thread = threading.Thread(target=ran.append, args=(1,))
thread.start(); thread.join()
told["thread"] = 0 if ran else 1
import numpy
told["numpy"] = 0 if numpy.arange(4).sum() == 6 else 1
print(json.dumps(told))
"""


def test_what_rendering_does_not_need_is_gone(tmp_path: Path):
    """Files outside, sockets, programs and processes are refused; sources, scratch and threads still work."""
    source, scratch, elsewhere = (tmp_path / name for name in ("source", "scratch", "elsewhere"))
    for folder in (source, scratch, elsewhere):
        folder.mkdir()
    (source / "a").write_bytes(b"audio")
    (elsewhere / "key").write_bytes(b"secret")
    command = [sys.executable, "-P", "-c", PROBE, source, scratch, elsewhere / "key"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    if not told.pop("abi"):
        pytest.skip("this kernel has no Landlock")
    if not told.pop("seccomp"):
        pytest.skip("this kernel refuses seccomp filters")
    allowed = {"read source", "write work", "rename in work", "make folder", "thread", "numpy"}
    assert {name for name, number in told.items() if number == 0} == allowed
    assert (source / "a").read_bytes() == b"audio"
