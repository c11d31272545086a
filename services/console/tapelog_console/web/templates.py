"""Jinja templates, escaping always on."""

import uuid
from pathlib import Path
from typing import Any, Final

import jinja2
from tapelog.notify.v1 import alerts_pb2
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res

from tapelog_console.reading import waveform, words

from .briefs import EFFECTS, KINDS
from .static import static_url

CHANGES_MAX: Final = 24
"""Changed settings that a song's page lists; a new recipe from scratch has hundreds."""
FOLDER: Final = Path(__file__).resolve().parent.parent / "templates"


class Templates:
    """Renders the templates of the page."""

    def __init__(self) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        names = (
            "stage", "role", "roles", "version_state", "note_state", "severity", "category", "verdict",
            "disagreement_state", "delivery_state", "version_key", "version_title", "code_words", "timecode", "level",
            "decibels", "moment", "iso", "size", "audio_format", "alert_severity", "take_check", "plain", "setting",
        )  # fmt: skip
        self._environment.filters.update({name: getattr(words, name) for name in names})
        self._environment.globals.update(
            res=res,
            brief_pb2=brief_pb2,
            alerts_pb2=alerts_pb2,
            static=static_url,
            new_request_id=lambda: str(uuid.uuid4()),
            waveform=waveform,
            CHANGES_MAX=CHANGES_MAX,
            EFFECTS=EFFECTS,
            RULE_KINDS=KINDS,
        )

    def render(self, name: str, **values: Any) -> str:
        """Return a rendered template."""
        return self._environment.get_template(f"{name}.html.j2").render(**values)
