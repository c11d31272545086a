"""Prints the lines of code of each package: what git tracks, without blank lines, comments and docstrings."""

import ast
import io
import subprocess
import tokenize
from collections import Counter
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
SKIPPED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}


def docstring_lines(source: str) -> set[int]:
    """Return the lines taken by strings that stand alone as statements."""
    return {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def python_lines(source: str) -> int:
    """Count the lines that hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SKIPPED and token.type != tokenize.ENDMARKER:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstring_lines(source))


def package_of(path: PurePosixPath) -> str:
    """Return the row a file counts in: its import package, or its top folder."""
    packages = [part for part in path.parts if part.startswith("tapelog_")]
    return packages[0] if packages else path.parts[0]


def main() -> None:
    """Print the table."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.c", "*.h", "*.proto"], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout.split()
    files: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    for name in listed:
        path = PurePosixPath(name)
        if name.startswith("protos/gen/"):
            continue
        source = (ROOT / name).read_text()
        files[package_of(path)] += 1
        lines[package_of(path)] += (
            python_lines(source) if path.suffix == ".py" else sum(1 for line in source.splitlines() if line.strip())
        )
    for package, count in sorted(lines.items(), key=lambda item: -item[1]):
        print(f"{package:20} {count:7} lines in {files[package]:4} files")


if __name__ == "__main__":
    main()
