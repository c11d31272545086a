"""A corpus of broken, hostile and odd files: each decodes or is a typed error; none crashes, hangs or lies."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from tapelog_desk import Analysis, DeskError, analyze_file

CPU_SECONDS_MAX = 10.0
"""For one file, the decompression bomb of 1 GB included."""

RSS_MAX_MIB = 128
"""On top of what the process held before: the bomb decodes to 1 GB."""

READ_SUBTYPES = ("PCM_", "FLOAT", "DOUBLE", "VORBIS", "OPUS", "MPEG_LAYER_III")
READ_CONTAINERS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "OGG", "MP3")


def _entries() -> list[dict[str, Any]]:
    corpus = os.environ.get("TAPELOG_CORPUS")
    if corpus is None:
        return []
    manifest = json.loads((Path(corpus) / "manifest.json").read_text())
    return [entry for entry in manifest["entries"] if entry["cls"] == "malformed"]


def _outcome(entry: dict[str, Any]) -> Analysis | DeskError:
    try:
        return analyze_file(Path(os.environ["TAPELOG_CORPUS"]) / entry["file"])
    except DeskError as error:
        return error


def _is_on_the_list(entry: dict[str, Any]) -> bool:
    """Return whether a valid file is of a format that is read, as libsndfile names it."""
    container, _, subtype = entry["libsndfile"].get("format", "").partition("/")
    return container in READ_CONTAINERS and subtype.startswith(READ_SUBTYPES)


def _complaint(entry: dict[str, Any], outcome: Analysis | DeskError) -> str:
    """Return what is wrong with an outcome, empty if it is right."""
    expect, refused = entry["expect"], isinstance(outcome, DeskError)
    if isinstance(outcome, DeskError) and not (
        outcome.reason.startswith("SOURCE_") and outcome.problem and outcome.remedy
    ):
        return f"its error lacks reason, problem or remedy: {outcome!r}"
    if expect == "reject":
        return "" if refused else "was read, should be refused"
    if expect == "accept" and _is_on_the_list(entry):
        if isinstance(outcome, DeskError):
            return f"should be read, got {outcome.reason}: {outcome}"
        found = outcome.measurements.length_frames
        # Where the header gives no length, libsndfile's own whole-file reading fails and gives none either.
        frames = entry["libsndfile"].get("frames_read", found if found > 0 else None)
        return "" if found == frames else f"has {frames} frames, {found} were read"
    if expect == "accept":
        wanted = isinstance(outcome, DeskError) and outcome.reason == "SOURCE_FORMAT_REFUSED"
        return "" if wanted else f"is outside the list, got {outcome!r}"
    if isinstance(outcome, Analysis):
        bad = entry["libsndfile"].get("nan", 0) + entry["libsndfile"].get("inf", 0)
        if outcome.measurements.non_finite_samples != bad:
            return f"has {bad} samples that are no numbers, {outcome.measurements.non_finite_samples} were counted"
        return "" if outcome.measurements.length_frames > 0 else "was read without samples"
    return ""


def test_every_file_of_the_corpus_ends_as_it_should():
    """Reject, accept, salvage and policy: each file as its entry expects, in bounded work and memory."""
    entries = _entries()
    if not entries:
        pytest.skip("TAPELOG_CORPUS is not set")
    complaints = []
    before_mib = _reset_peak_mib()
    for entry in entries:
        start = time.process_time()
        complaint = _complaint(entry, _outcome(entry))
        seconds = time.process_time() - start
        if complaint or seconds > CPU_SECONDS_MAX:
            complaints.append(f"{entry['file']}: {complaint} ({seconds:.1f} s)")
    assert len(entries) > 200
    assert complaints == []
    assert _status_mib("VmHWM") - before_mib < RSS_MAX_MIB


def _reset_peak_mib() -> float:
    """Begin the process's highest memory anew, whatever other tests needed; return what is used now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status_mib("VmRSS")


def _status_mib(field: str) -> float:
    """Return a line of the kernel's account of this process, in MiB."""
    return int(Path("/proc/self/status").read_text().split(f"{field}:")[1].split()[0]) / 1024
