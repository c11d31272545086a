"""What the demo shows while it runs: progress bars on a terminal, plain lines elsewhere, nothing for programs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class Bar(Protocol):
    """A running piece of work."""

    def update(self, percent: float) -> None:
        """Set how far it is, 0 to 100."""
        ...


class Show:
    """Tells the story.

    Parameters
    ----------
    console : Console, optional
        Where to; absent is nowhere.

    Attributes
    ----------
    act_times_s : dict of str to float
        How long each act took.
    """

    def __init__(self, console: Console | None) -> None:
        self._console = console
        self._begin_s = time.monotonic()
        self.act_times_s: dict[str, float] = {}

    @contextmanager
    def act(self, title: str) -> Iterator[None]:
        """Head an act and time it."""
        begin_s = time.monotonic()
        if self._console is not None:
            self._console.print(f"\n{title}", style="bold", markup=False)
        yield
        self.act_times_s[title] = time.monotonic() - begin_s

    def say(self, who: str, what: str, *, style: str = "") -> None:
        """Print one line: who did what."""
        if self._console is not None:
            elapsed_s = time.monotonic() - self._begin_s
            self._console.print(f"{elapsed_s:6.1f} s  {who:<20} {what}", markup=False, style=style, soft_wrap=True)

    @contextmanager
    def bar(self, title: str) -> Iterator[Bar]:
        """Show a bar while the work goes on; where bars cannot be drawn, the line that follows says it is done."""
        if self._console is None or not self._console.is_terminal:
            yield _NoBar()
            return
        columns = (TextColumn("          {task.description:<20}"), BarColumn(bar_width=40), TimeRemainingColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            yield _RichBar(progress, progress.add_task(title, total=100.0))


class _NoBar:
    def update(self, percent: float) -> None:
        """Show nothing."""


class _RichBar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def update(self, percent: float) -> None:
        """Draw it."""
        self._progress.update(self._task, completed=percent)
