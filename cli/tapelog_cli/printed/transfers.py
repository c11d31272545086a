"""Progress of uploads, downloads and renders: bars with the time left, on standard error and on a terminal only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapelog_client import Progress as Moved

PERCENT: float = 100.0


@contextmanager
def percent_bar(words: str, *, quiet: bool) -> Iterator[Callable[[float], None]]:
    """Show how much of a piece of work is done, 0 to 100."""
    from tapelog_cli.printed.output import err

    console = err()
    if quiet or not console.is_terminal:
        yield lambda _: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task(words, total=PERCENT)
        yield lambda percent: bars.update(task, completed=percent)


@contextmanager
def bytes_bar(words: str, *, quiet: bool) -> Iterator["Callable[[Moved], None]"]:
    """Show how much of a file is hashed and moved, how fast, and the time left."""
    from tapelog_cli.printed.output import err

    console = err()
    if quiet or not console.is_terminal:
        yield lambda _: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bars:
        task = bars.add_task(words, total=None)

        def show(moved: "Moved") -> None:
            phase = "checking" if moved.phase == "hash" else words
            bars.update(task, description=phase, completed=moved.done_bytes, total=moved.total_bytes or None)

        yield show
