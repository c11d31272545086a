"""What the client can do, the command line can do."""

import inspect
import re
from pathlib import Path

import tapelog_cli.commands
from tapelog_client import StaticTokenSource, Tapelog
from tapelog_client.group import Group

SOURCES = "\n".join(path.read_text() for path in Path(tapelog_cli.commands.__path__[0]).glob("*.py"))
WITHOUT_A_COMMAND = {
    ("assets", "get"),  # the record of bytes, which takes and versions show
    ("assets", "get_upload"),  # uploads go on by themselves
    ("assets", "stream"),  # for players
    ("api_keys", "exchange"),  # TAPELOG_TOKEN may be a key, and is exchanged then
    ("takes", "add"),  # `take upload` uploads and adds
    ("renders", "validate_mix"),  # `brief check` and `mix propose` validate
    ("renders", "validate_master"),
    ("usage", "entries"),  # `usage statement` prices them
    ("usage", "adjust"),
    ("events", "get"),
    ("subscriptions", "dead_letters"),  # `subscription deliveries` shows why an event was given up
    ("subscriptions", "get"),  # `subscription list` shows all of each
    ("songs", "list"),  # `song list` searches, which says more
}


def test_every_method_of_the_client_has_a_command() -> None:
    """Each method of each group is called by a command, but for those that are listed with their reason."""
    api = Tapelog.connect(tokens=StaticTokenSource("none"))
    groups = {name: group for name, group in vars(api).items() if isinstance(group, Group)}
    methods = {
        (name, method)
        for name, group in groups.items()
        for method, _ in inspect.getmembers(group, inspect.isroutine)
        if not method.startswith("_")
    }
    called = set(re.findall(r"api\.(\w+)\.(\w+)\(", SOURCES))

    assert len(groups) > 10
    assert called <= methods
    assert methods - called - WITHOUT_A_COMMAND == set()
    assert methods >= WITHOUT_A_COMMAND
    assert WITHOUT_A_COMMAND & called == set()
