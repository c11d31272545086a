"""Processes below another one, which may end while they are looked at."""

import contextlib

import psutil


def workers_under(process: psutil.Process, *, recursive: bool = False) -> list[psutil.Process]:
    """Return the render workers among a process's children."""
    found = []
    for child in process.children(recursive=recursive):
        with contextlib.suppress(psutil.Error):
            if "tapelog_render.worker" in " ".join(child.cmdline()):
                found.append(child)
    return found
