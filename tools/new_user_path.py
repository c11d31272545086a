"""Play the way that README tells a new user, from a fresh clone to mastered stems, and print what it took.

    python tools/new_user_path.py STEMS [--into FOLDER]

The commands are read from README, so they are the ones that a person types. `STEMS` is a folder of audio files of one
song. Nothing of this machine's installation is used: not its virtual environment, and not its `TAPELOG_` settings.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
HEADING: Final = "## From your own stems to a master"
COMMAND_S_MAX: Final = 600.0
"""A command that takes longer than this is a stumble, not a wait."""


MISSED: Final = 4
"""How `tapelog check` ends when it has found something: an answer, and no stumble."""


class Step(NamedTuple):
    """One command that was typed, how long it took, and whether it said that something is missed."""

    command: str
    took_s: float
    missed: bool


class Stumbled(Exception):  # noqa: N818 - says what happened
    """A command of README did not work; what it said is the message."""


def commands(readme: str) -> list[str]:
    """Return the commands of the section's first block, without their comments."""
    section = readme[readme.index(HEADING) :]
    found = re.search(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    if found is None:
        raise Stumbled(f"README has no commands under {HEADING!r}")
    return [line.split("  #")[0].strip() for line in found[1].splitlines() if line.strip()]


def play(stems: Path, folder: Path, *, clone: bool = True) -> list[Step]:
    """Type the commands in a fresh clone inside a folder; `folder/tapelog/master.wav` is what comes of it.

    Parameters
    ----------
    stems : Path
        A folder of audio files.
    folder : Path
        An empty folder.
    clone : bool
        Whether to begin with the clone and its set-up. Without, the installation that runs this is used: for a test of
        the rest.

    Raises
    ------
    Stumbled
        A command failed.
    """
    home = folder / "tapelog"
    shell = _Shell(folder)
    if clone:
        shell.type(f"git clone --quiet {ROOT} tapelog")
    else:
        home.mkdir()
        shell.environment["PATH"] = f"{Path(sys.executable).parent}:{shell.environment['PATH']}"
    shell.folder = home
    shutil.copytree(stems, home / "stems", ignore=lambda _, names: [name for name in names if name.endswith(".json")])
    for line in commands((ROOT / "README.md").read_text()):
        if clone or line.startswith("tapelog "):
            shell.type(line)
    return shell.steps


class _Shell:
    """A shell as a person has it: what one line sets, such as an activated environment, the next line finds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps: list[Step] = []
        own = str(Path(sys.executable).parent)
        path = ":".join(part for part in os.environ["PATH"].split(":") if part != own)
        unset = ("TAPELOG_", "VIRTUAL_ENV", "PYTHON", "MAKE", "PYTEST")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(unset)},
            "PATH": path,
        }

    def type(self, line: str) -> None:
        began_s = time.perf_counter()
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".after-") as after:
            done = subprocess.run(
                ["bash", "-c", f"{line}\nended=$?; env -0 > {after.name}; exit $ended"],
                cwd=self.folder,
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=COMMAND_S_MAX,
                check=False,
            )
            if done.returncode not in (0, MISSED):
                raise Stumbled(f"$ {line}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
            left = Path(after.name).read_text().split("\0")
        self.environment = dict(item.partition("=")[::2] for item in left if "=" in item)
        self.steps.append(Step(line, time.perf_counter() - began_s, missed=done.returncode == MISSED))


def main() -> int:
    """Play, and print commands, seconds and the sum."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("stems", type=Path, help="folder with the stems of one song")
    parser.add_argument("--into", type=Path, help="folder to keep what is made; by default it is thrown away")
    asked = parser.parse_args()
    if not asked.stems.is_dir():
        parser.error(f"{asked.stems} is no folder")
    with tempfile.TemporaryDirectory(prefix="tapelog-new-user-") as temporary:
        folder = asked.into or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            steps = play(asked.stems, folder)
        except Stumbled as stumble:
            sys.stderr.write(f"{stumble}\n")
            return 1
    for number, step in enumerate(steps, 1):
        said = "  (found something)" if step.missed else ""
        sys.stdout.write(f"{number}. {step.took_s:6.1f} s  {step.command.replace(str(ROOT), '…/tapelog')}{said}\n")
    total_s = sum(step.took_s for step in steps)
    stems = sum(path.suffix != ".json" for path in asked.stems.iterdir())
    sys.stdout.write(f"{len(steps)} commands, {total_s / 60:.1f} minutes from {stems} stems to master.wav\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
