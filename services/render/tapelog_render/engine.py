"""The engine process: `python -m tapelog_render.engine --parent PID`.

It renders what its worker asks for, one job after another, and stays warm in between. It knows no broker, no log and
no object store: files in, files out, one JSON line for each order, progress tick and answer. Before the first order it
gives up everything else (`sandbox.py`).

```
worker -> engine   {"folder": ".../order", "sources": {sha256: path}, "memory_limit_bytes": n}
engine -> worker   {"ready": engine version, "landlock_abi": n, "seccomp": true}     once, at the start
                   {"progress": 0.25}
                   {"made": {"audio": [path or null], "files": [[role, path, media type]]}}
                   {"failed": {"reason": "...", "message": "...", "is_final": true}}
```

The order's folder holds `job.binpb` (a `RenderJob`); the answer leaves `result.binpb` (a `RenderResult`) beside it.
"""

import argparse
import gc
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TextIO

from tapelog.render.v1.resources_pb2 import RenderJob
from tapelog_desk import DeskError, OutputError
from tapelog_desk.nodes import NodeStore
from tapelog_dsp import ENGINE_VERSION, KernelsMissingError
from tapelog_dsp.kernels.loader import open_library
from tapelog_recipe import RecipeError

from tapelog_render.adapters.memory_pressure import go_first
from tapelog_render.adapters.processes import die_with
from tapelog_render.engine_kinds import Order, make
from tapelog_render.sandbox import confine, installation

JOB_FILE: Final = "job.binpb"
RESULT_FILE: Final = "result.binpb"
PROGRESS_EVERY_S: Final = 0.05
"""At most twenty ticks a second go through the pipe."""


class WrongRecipe(Exception):  # noqa: N818 - the state it reports
    """What was rendered is not the recipe that the job was digested for."""

    def __init__(self, wanted: str, rendered: str) -> None:
        super().__init__(
            f"the job's recipe has the digest {wanted}, the engine rendered {rendered}: service and worker run "
            "different versions of Tapelog; run the same"
        )


Say = Callable[[Mapping[str, Any]], None]


def main() -> int:
    """Serve orders until the worker closes the pipe."""
    parser = argparse.ArgumentParser(prog="tapelog_render.engine", description="Render for a worker; not for people.")
    parser.add_argument("--parent", type=int, required=True, help="process id of the worker")
    parser.add_argument("--read", type=Path, action="append", default=[], help="folder to read sources from")
    parser.add_argument("--write", type=Path, action="append", default=[], help="folder to work in")
    parser.add_argument("--nodes", nargs=2, metavar=("FOLDER", "BYTES"), help="cache of signals inside mixes")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to handle
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    arguments = parser.parse_args()
    if not die_with(arguments.parent, signal.SIGKILL):
        return 1
    go_first()
    answers = _take_stdout()
    try:
        open_library()
    except KernelsMissingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    nodes = None if arguments.nodes is None else NodeStore(Path(arguments.nodes[0]), int(arguments.nodes[1]))
    cache = [] if arguments.nodes is None else [Path(arguments.nodes[0])]
    confined = confine(
        read=(*installation(), *arguments.read), write=(*arguments.write, *(path for path in cache if path.is_dir()))
    )
    gc.freeze()  # what was imported stays: no collection has to look at it again
    baseline_bytes = _address_space_bytes()

    def say(message: Mapping[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    say({"ready": ENGINE_VERSION, "landlock_abi": confined.landlock_abi, "seccomp": confined.seccomp})
    for line in sys.stdin:
        say(_answer(json.loads(line), say, baseline_bytes, nodes))
    return 0


def _answer(order: Mapping[str, Any], say: Say, baseline_bytes: int, nodes: NodeStore | None) -> Mapping[str, Any]:
    try:
        _limit_memory(baseline_bytes + int(order["memory_limit_bytes"]))
        return {"made": _make(Path(order["folder"]), order["sources"], _throttled(say), nodes)}
    except OutputError as error:
        return _failed(error.reason, str(error), is_final=False)
    except DeskError as error:
        return _failed(error.reason, str(error), is_final=True)
    except WrongRecipe as error:
        return _failed("RECIPE_DIGEST_MISMATCH", str(error), is_final=True)
    except RecipeError as error:
        return _failed("RECIPE_INVALID", str(error), is_final=True)
    except MemoryError:
        limit_mib = int(order["memory_limit_bytes"]) // 2**20
        message = f"the render needs more than the limit of {limit_mib} MiB per job; use fewer tracks at a time"
        return _failed("OUT_OF_MEMORY", message, is_final=False)
    except Exception as error:  # noqa: BLE001 - whatever it is, the worker must hear of it, and the log has the rest
        traceback.print_exc()
        return _failed("ENGINE_ERROR", f"{type(error).__name__}: {error}", is_final=False)


def _make(
    folder: Path, sources: Mapping[str, str], progress: Callable[[float], None], nodes: NodeStore | None
) -> Mapping[str, Any]:
    job = RenderJob.FromString((folder / JOB_FILE).read_bytes())
    out = folder / "out"
    out.mkdir()
    outcome = make(Order(job, {sha256: Path(path) for sha256, path in sources.items()}, out, nodes), progress)
    if outcome.recipe_digest != job.recipe_digest:
        raise WrongRecipe(job.recipe_digest, outcome.recipe_digest)
    (folder / RESULT_FILE).write_bytes(outcome.result.SerializeToString())
    return {"audio": outcome.audio, "files": outcome.files}


def _failed(reason: str, message: str, *, is_final: bool) -> Mapping[str, Any]:
    return {"failed": {"reason": reason, "message": message, "is_final": is_final}}


def _throttled(say: Say) -> Callable[[float], None]:
    next_s = 0.0

    def progress(share: float) -> None:
        nonlocal next_s
        now_s = time.monotonic()
        if now_s >= next_s:
            next_s = now_s + PROGRESS_EVERY_S
            say({"progress": round(share, 4)})

    return progress


def _address_space_bytes() -> int:
    """Return what the warm engine takes before its first job; a job's limit comes on top of it."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _limit_memory(limit_bytes: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, hard))


def _take_stdout() -> TextIO:
    """Keep the pipe for answers alone: whatever a library prints goes to the log."""
    pipe = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(pipe, "w")


if __name__ == "__main__":
    sys.exit(main())
