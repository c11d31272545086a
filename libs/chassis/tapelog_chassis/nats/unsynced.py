"""What a power cut leaves of streams whose writes are not synced: the server would not call itself healthy again."""

import json
import shutil
from pathlib import Path
from typing import Final

import structlog

from tapelog_chassis.topology import STREAMS

_DEFINITION: Final = ("meta.inf", "meta.sum")
"""What the stream is, and the sum of that; written when the stream is made, on the disk whenever the system likes."""

_log = structlog.get_logger(__name__)


def remove_torn(store: Path) -> list[str]:
    """
    Remove streams that hold no fact and whose definition did not reach the disk; provisioning makes them anew.

    Called while no server runs on the store.

    Parameters
    ----------
    store
        The server's `store_dir`.

    Returns
    -------
    list of str
        Names of the streams.
    """
    removed = []
    for spec in STREAMS:
        if spec.is_synced:
            continue
        for folder in store.glob(f"jetstream/*/streams/{spec.name}"):
            if not _is_whole(folder):
                _log.warning("stream was torn by a power cut and is made anew, empty", stream=spec.name)
                shutil.rmtree(folder)
                removed.append(spec.name)
    return removed


def _is_whole(folder: Path) -> bool:
    definition, check_sum = (folder / name for name in _DEFINITION)
    try:
        json.loads(definition.read_bytes())
        return any(check_sum.read_bytes())
    except (OSError, ValueError):
        return False
