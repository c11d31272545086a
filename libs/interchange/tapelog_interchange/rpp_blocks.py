"""The text of a Reaper project as blocks: ``<NAME values`` to ``>``, lines of words in between.

Source: what Reaper 5 to 7 write; a word with spaces stands in double quotes, single quotes or backticks, whichever it
does not contain itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tapelog_interchange.errors import RefusedError
from tapelog_interchange.limits import RPP_BYTES_MAX, RPP_DEPTH_MAX

_QUOTES: Final = "\"'`"
_REMEDY: Final = "save the project again from Reaper"


@dataclass(slots=True)
class Block:
    """A block: its name and values, its lines as words, and the blocks inside, each in their order."""

    words: list[str]
    lines: list[list[str]] = field(default_factory=list)
    blocks: list["Block"] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the block, such as ``TRACK``."""
        return self.words[0] if self.words else ""

    def line(self, name: str) -> list[str] | None:
        """Return the values of the first line of a name, or None."""
        return next((words[1:] for words in self.lines if words[0] == name), None)

    def all(self, name: str) -> Iterator["Block"]:
        """Return the blocks of a name."""
        return (block for block in self.blocks if block.name == name)


def words_of(line: str) -> list[str]:
    """Split a line at spaces, but not inside quotes."""
    words, place = [], 0
    while place < len(line):
        if line[place].isspace():
            place += 1
            continue
        if line[place] in _QUOTES:
            end = line.find(line[place], place + 1)
            end = len(line) if end < 0 else end
            words.append(line[place + 1 : end])
            place = end + 1
            continue
        end = place
        while end < len(line) and not line[end].isspace():
            end += 1
        words.append(line[place:end])
        place = end
    return words


def parse_rpp(body: bytes, name: str) -> Block:
    """Return the outermost block of a Reaper project.

    Raises
    ------
    RefusedError
        ``RPP_REFUSED``: too large, too deep, not closed, or not a Reaper project.
    """
    if len(body) > RPP_BYTES_MAX:
        raise RefusedError("RPP_REFUSED", f"{name} has {len(body)} bytes, at most {RPP_BYTES_MAX} are read", _REMEDY)
    text = body.decode("utf-8", errors="replace")
    root: Block | None = None
    open_blocks: list[Block] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith("<"):
            block = Block(words_of(line[1:]))
            if open_blocks:
                open_blocks[-1].blocks.append(block)
            elif root is None:
                root = block
            else:
                break
            open_blocks.append(block)
            if len(open_blocks) > RPP_DEPTH_MAX:
                raise RefusedError("RPP_REFUSED", f"{name} nests deeper than {RPP_DEPTH_MAX} blocks", _REMEDY)
        elif line == ">":
            if not open_blocks:
                raise RefusedError("RPP_REFUSED", f"{name} closes a block in line {number} that none opened", _REMEDY)
            open_blocks.pop()
        elif line and open_blocks:
            words = words_of(line)
            if words:
                open_blocks[-1].lines.append(words)
    if root is None or root.name != "REAPER_PROJECT":
        raise RefusedError("RPP_REFUSED", f"{name} does not begin with <REAPER_PROJECT", "save it as .rpp from Reaper")
    if open_blocks:
        raise RefusedError("RPP_REFUSED", f"{name} ends inside a block ({open_blocks[-1].name})", _REMEDY)
    return root
