"""The examples of a documentation page, run as one session of `python -m asyncio`."""

import ast
import contextlib
import inspect
import io
import re
from pathlib import Path
from typing import Any, Final

BLOCK: Final = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PRINTS: Final = re.compile(r"^\s*print\(.*\)  # (.+)$", re.MULTILINE)


def examples(page: Path) -> list[str]:
    """Return the code of every Python block, in order."""
    return BLOCK.findall(page.read_text())


def promised(code: str) -> list[str]:
    """Return what a block says that it prints."""
    return PRINTS.findall(code)


async def run(code: str, names: dict[str, Any]) -> list[str]:
    """Run a block in a namespace, with `await` at its top; return the lines that it printed."""
    compiled = compile(code, "<example>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        result = eval(compiled, names)  # noqa: S307 - the page's own code
        if inspect.iscoroutine(result):
            await result
    return printed.getvalue().splitlines()
