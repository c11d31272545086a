"""The runbooks name commands, units, modules and settings that exist."""

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Final

import pytest
from cyclopts import App, CycloptsError, MissingArgumentError
from tapelog_cli.main import build_app
from tapelog_notify.settings import NotifySettings
from tapelog_render.settings import RenderSettings, WorkerSettings
from tapelog_session.settings import SessionSettings

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "operations.md").read_text()
FENCED: Final = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE: Final = re.compile(r"`([^`\n]+)`")
NEEDED: Final = (
    "The broker is down",
    "The disk or the log is full",
    "A job is poison",
    "A consumer is stuck",
    "Backup",
    "Erase",
    "Rotate keys",
    "Scale",
    "Upgrade",
    "DATA_LOSS",
)


def _lines() -> list[str]:
    """Return every line of a block of commands, and every piece of code in the text, without what follows a `#`."""
    blocks = "\n".join(FENCED.findall(PAGE)).replace("\\\n", " ")
    lines = [line.split(" #")[0].strip() for line in blocks.splitlines()]
    return [line for line in [*lines, *INLINE.findall(FENCED.sub("", PAGE))] if line]


def _commands() -> list[str]:
    found = []
    for line in _lines():
        words = line.removeprefix("sudo -u tapelog /opt/tapelog/bin/")
        # An ellipsis stands for arguments; a single word for the program.
        if words.startswith("tapelog ") and "…" not in words:
            found.append(words)
    return sorted(set(found))


@pytest.fixture(scope="module")
def app() -> App:
    """Make the whole command line."""
    return build_app(whole=True)


def test_there_is_a_runbook_for_each() -> None:
    """Every heading that whoever is on call looks for."""
    headings = {line.lstrip("# ") for line in PAGE.splitlines() if line.startswith("#")}
    assert set(NEEDED) - headings == set()


def test_commands_are_found() -> None:
    """The page is read as it is meant to be."""
    assert len(_commands()) >= 15
    assert "tapelog backup --data-dir studio --to /media/disk/studio-backup" in _commands()


@pytest.mark.parametrize("line", _commands())
def test_a_command_of_the_page_is_one(line: str, app: App) -> None:
    """It and its options exist; where the text names a command alone, `--help` knows it."""
    words = shlex.split(line)[1:]
    try:
        app.parse_args(words, print_error=False, exit_on_error=False)
    except MissingArgumentError:
        # The text names a command, or an option of it, without the rest.
        node = app
        for word in app.parse_commands([word for word in words if not word.startswith("-")])[0]:
            node = node[word]
        assert node is not app, line
        known = {name for argument in node.assemble_argument_collection() for name in argument.names}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_a_command_that_is_none_is_noticed(app: App) -> None:
    """The check can fail."""
    for line in ("tapelog backup --tape drive", "tapelog fly --to moon"):
        with pytest.raises((AssertionError, CycloptsError)):
            test_a_command_of_the_page_is_one(line, app)


def test_modules_units_folders_and_settings_exist() -> None:
    """What is started by name, and every variable that the page tells to set."""
    for name in re.findall(r"python -m ([a-z_.]+[a-z_])", PAGE):
        assert importlib.util.find_spec(name) is not None, name
    for unit in re.findall(r"systemctl [^`\n]*?(tapelog-[a-z]+)", PAGE):
        units = {
            path.name.removesuffix(".service").rstrip("@") for path in (ROOT / "deploy" / "systemd").glob("*.service")
        }
        assert unit in units, unit
    # What `broker-init` makes is not there yet.
    made = "deploy/compose/deployment"
    for folder in {found for found in re.findall(r"(?<!tests/)deploy/[a-z0-9/]+", PAGE) if not found.startswith(made)}:
        assert (ROOT / folder).exists() or list((ROOT / folder).parent.glob(f"{Path(folder).name}*")), folder
    known = {
        f"TAPELOG_{field.upper()}"
        for settings in (SessionSettings, RenderSettings, WorkerSettings, NotifySettings)
        for field in settings.model_fields
    }
    named = set(re.findall(r"`(TAPELOG_[A-Z_]+)(?:=[a-z0-9]+)?`", PAGE)) - {"TAPELOG_TOKEN"}
    assert named - known == set()
