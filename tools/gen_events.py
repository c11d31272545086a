"""Generates the event catalogue from the protos: the table in docs/events.md, and the notify service's list of types.

python tools/gen_events.py           write both
python tools/gen_events.py --check   fail if they are not what the protos give

The comment of every message in an events.proto begins with its aggregate: "// Song: a song was created.".
"""

import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

from event_samples import sample
from generated_files import ROOT, write_or_check

PROTOS = ROOT / "protos" / "tapelog"
PAGE = ROOT / "docs" / "events.md"
MODULE = ROOT / "services" / "notify" / "tapelog_notify" / "domain" / "catalogue.py"
BEGIN, END = "<!-- catalogue: generated, see tools/gen_events.py -->", "<!-- end of catalogue -->"

MESSAGE = re.compile(r"((?:^//[^\n]*\n)+)^message (\w+) \{", re.MULTILINE)
COMMENT = re.compile(r"(?P<aggregate>[A-Z]\w+): (?P<text>.+)", re.DOTALL)
WORD_EDGE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

MODULE_HEAD = '''"""Every public event type and its message: generated from the protos by tools/gen_events.py."""

from typing import Final

EVENT_TYPES: Final[dict[str, str]] = {
'''


class EventType(NamedTuple):
    """One type: its CloudEvents name, its message, the aggregate it belongs to, and what it says."""

    type: str
    schema: str
    aggregate: str
    text: str


def snake(name: str) -> str:
    """`RenderJob` -> `render_job`."""
    return WORD_EDGE.sub("_", name).lower()


def read_events(path: Path) -> list[EventType]:
    """Read the event types of one events.proto, in the order of the file."""
    text = path.read_text()
    package = re.search(r"^package ([\w.]+);", text, re.MULTILINE)
    if package is None:
        raise SystemExit(f"{path} names no package")
    version = package[1].rpartition(".")[2]
    found = []
    for comment, name in MESSAGE.findall(text):
        words = " ".join(line.removeprefix("//").strip() for line in comment.splitlines())
        parts = COMMENT.fullmatch(words)
        if parts is None:
            raise SystemExit(f'{path}: the comment of {name} must begin with its aggregate, such as "Song: ..."')
        type_ = f"tapelog.{snake(parts['aggregate'])}.{snake(name)}.{version}"
        found.append(EventType(type_, f"{package[1]}.{name}", parts["aggregate"], parts["text"]))
    return found


def catalogue() -> list[EventType]:
    """Read every event type of every service."""
    return [event for path in sorted(PROTOS.glob("*/v1/events.proto")) for event in read_events(path)]


def module_text(events: list[EventType]) -> str:
    """Write the service's list: type -> full name of the message."""
    lines = [f'    "{event.type}": "{event.schema}",\n' for event in events]
    return MODULE_HEAD + "".join(lines) + '}\n"""Full name of the protobuf message by CloudEvents type."""\n'


def page_text(page: str, events: list[EventType]) -> str:
    """Put the table between the page's two marks."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} lacks the marks {BEGIN} and {END}")
    rows = ["| Type | Message | What happened |", "|---|---|---|"]
    for event in events:
        text = event.text[0].upper() + event.text[1:]
        rows.append(f"| `{event.type}` | `{event.schema}` | {text} |")
    examples = [
        "### Examples",
        "",
        "The `data` of one event of each type; lists are shown with one item, deep messages cut.",
        "",
    ]
    for event in events:
        shown = json.dumps(sample(event.schema), ensure_ascii=False)
        examples += [
            f"<details><summary><code>{event.type}</code></summary>",
            "",
            "```json",
            shown,
            "```",
            "",
            "</details>",
            "",
        ]
    return "\n".join([head + begin, "", *rows, "", *examples, end + tail])


def main() -> int:
    """Write both files, or compare them."""
    events = catalogue()
    files = {MODULE: module_text(events), PAGE: page_text(PAGE.read_text(), events)}
    return write_or_check(files, __doc__)


if __name__ == "__main__":
    sys.exit(main())
