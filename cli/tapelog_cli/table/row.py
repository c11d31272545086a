"""What a command of the table is."""

from typing import NamedTuple


class Command(NamedTuple):
    """One row of the table: its words, where its function is, what it does, and an example."""

    words: str
    target: str
    summary: str
    example: str
