"""Files that a generator makes: written, or with `--check` compared with what stands there."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent


def write_or_check(files: Mapping[Path, str], description: str | None) -> int:
    """Do what the command line asks for, and return its exit code.

    Parameters
    ----------
    files : mapping of Path to str
        What each file has to hold.
    description : str, optional
        What the generator is for, for its `--help`.

    Returns
    -------
    int
        1 if files are compared and one differs; those that do are named.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail if a file is not what its sources give")
    is_check = parser.parse_args().check
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text() != text]
    for path in stale:
        if is_check:
            sys.stderr.write(f"{path.relative_to(ROOT)} is not what its sources give; run: python {_own_path()}\n")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(files[path])
    return int(is_check and bool(stale))


def _own_path() -> Path:
    generator = Path(sys.argv[0]).resolve()
    return generator.relative_to(ROOT) if generator.is_relative_to(ROOT) else generator
