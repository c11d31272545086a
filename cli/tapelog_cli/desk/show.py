"""What desk commands print: progress with the time left, a table, or JSON."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from tapelog.common.v1 import audio_pb2
from tapelog_desk.analysis import Progress as Told
from tapelog_desk.analysis import measurements_json

from tapelog_cli.printed.output import out

if TYPE_CHECKING:
    from tapelog_desk.rendered import Rendered


def output() -> Console:
    """Return the console of standard output; colour only on a terminal."""
    return out()


def print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def progress_bar(words: str, *, quiet: bool) -> Iterator[Told | None]:
    """Show a bar with the time left while the block runs; on a terminal only."""
    console = Console(file=sys.stderr)
    if quiet or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(words, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def number(numbers: audio_pb2.Measurements, name: str, *, digits: int = 1) -> str:
    """Return a measurement for a table, a dash where it does not exist."""
    return f"{getattr(numbers, name):.{digits}f}" if numbers.HasField(name) else "–"  # type: ignore[arg-type]


def peak_to_loudness_lu(numbers: audio_pb2.Measurements) -> float | None:
    """Return the PLR, None where it does not exist."""
    if not (numbers.HasField("true_peak_dbtp") and numbers.HasField("integrated_lufs")):
        return None
    return round(numbers.true_peak_dbtp - numbers.integrated_lufs, 3)


def format_words(audio: audio_pb2.AudioFormat) -> str:
    """Return a format as studios write it: ``WAV 24/48 stereo``, ``WAV 32f/96 mono``."""
    bits = f"{audio.bit_depth}{'f' if audio.is_float else ''}/" if audio.bit_depth else ""
    channels = {1: "mono", 2: "stereo"}.get(audio.channels, f"{audio.channels} ch")
    return f"{audio.container.upper()} {bits}{audio.sample_rate_hz / 1000:g} {channels}"


def length_words(numbers: audio_pb2.Measurements) -> str:
    """Return a length as ``1:02.5``."""
    seconds = numbers.length_frames / max(numbers.sample_rate_hz, 1)
    return f"{int(seconds) // 60}:{seconds % 60:04.1f}"


def faults_words(numbers: audio_pb2.Measurements) -> str:
    """Return what is wrong with a recording, empty if nothing is."""
    found = []
    if numbers.non_finite_samples:
        found.append(f"{numbers.non_finite_samples} NaN or infinite samples")
    if numbers.silent_channels:
        found.append(f"silent channel {', '.join(str(channel + 1) for channel in numbers.silent_channels)}")
    if numbers.clipped_samples:
        found.append(f"{numbers.clipped_samples} clipped samples")
    return "; ".join(found)


def loudness_table() -> Table:
    """Return an empty table of loudness figures."""
    made = Table(header_style="bold", box=SIMPLE, show_edge=False, padding=(0, 1, 0, 0))
    made.add_column("file", overflow="fold", min_width=10)
    for name, unit in (
        ("I", "LUFS"),
        ("LRA", "LU"),
        ("max M", "LUFS"),
        ("max S", "LUFS"),
        ("TP", "dBTP"),
        ("PLR", "LU"),
    ):
        made.add_column(f"{name}\n[dim]{unit}[/dim]", justify="right", no_wrap=True)
    made.add_column("length", justify="right", no_wrap=True)
    made.add_column("format", no_wrap=True)
    return made


def add_row(table: Table, name: str, audio: audio_pb2.AudioFormat, numbers: audio_pb2.Measurements) -> None:
    """Add a file to the table."""
    plr = peak_to_loudness_lu(numbers)
    table.add_row(
        name,
        number(numbers, "integrated_lufs"),
        number(numbers, "loudness_range_lu"),
        number(numbers, "max_momentary_lufs"),
        number(numbers, "max_short_term_lufs"),
        number(numbers, "true_peak_dbtp", digits=2),
        "–" if plr is None else f"{plr:.1f}",
        length_words(numbers),
        format_words(audio),
    )


def audio_json(path: str, result: audio_pb2.AudioResult) -> dict[str, Any]:
    """Return a measured file as JSON values."""
    return {
        "file": path,
        "sha256": result.sha256,
        "sample_digest": result.sample_digest,
        "size_bytes": result.size_bytes,
        "media_type": result.media_type,
        "format": {
            "container": result.format.container,
            "sample_rate_hz": result.format.sample_rate_hz,
            "channels": result.format.channels,
            "bit_depth": result.format.bit_depth,
            "is_float": result.format.is_float,
            "length_frames": result.format.length_frames,
        },
        "measurements": {**measurements_json(result.measurements), "plr_lu": peak_to_loudness_lu(result.measurements)},
    }


def rendered_json(rendered: "Rendered") -> dict[str, Any]:
    """Return a render as JSON values."""
    return {
        "audio": [audio_json(str(audio.path), audio.result) for audio in rendered.audio],
        "recipe_digest": rendered.recipe_digest,
        "engine_version": rendered.engine_version,
        "remarks": list(rendered.remarks),
        "timings_s": {name: round(seconds, 3) for name, seconds in rendered.timings_s.items()},
    }


def print_notes(notes: Iterable[str]) -> None:
    """Print what a person should know beside the figures."""
    for note in notes:
        output().print(f"note: {note}", style="yellow", markup=False, soft_wrap=True)


def print_rendered(rendered: "Rendered") -> None:
    """Print a render as a table with its remarks."""
    table = loudness_table()
    for audio in rendered.audio:
        add_row(table, str(audio.path), audio.result.format, audio.result.measurements)
    output().print(table)
    print_notes(rendered.remarks)
