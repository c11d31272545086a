"""A tenant's alerts and rules as their page shows them, and the rules that the page can make."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

from google.protobuf import json_format
from tapelog.notify.v1 import alerts_pb2 as pb
from tapelog.session.v1.resources_pb2 import Song
from tapelog_client import Tapelog
from tapelog_client.errors import NotFound, PermissionDenied

WAIT_MAX: Final = timedelta(days=7)
"""The longest time that a rule can wait for something: what the notify service takes."""

NAMED_MAX: Final = 20
"""Alerts whose songs are looked up; older ones are told by name."""
SONG_TEMPLATE: Final = "projects/{project}/songs/{song}"
"""How the rules made here name a song, so that the page finds it in an alert's text."""
SONG_NAME: Final = re.compile(r"projects/[a-z][a-z0-9-]{0,31}/songs/[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class Alerts:
    """What the page shows.

    Attributes
    ----------
    alerts : list of Alert
        Newest first; those that are over only where they are asked for.
    rules : list of AlertRule
        Oldest first.
    songs : Mapping[str, Song]
        Of the newest alerts, by the alert's name: the song that its text names, where the reader may read it.
    """

    alerts: list[pb.Alert]
    rules: list[pb.AlertRule]
    songs: Mapping[str, Song]

    @property
    def digest(self) -> str:
        """What tells one state from another: the cursor of the page's stream."""
        state = [f"{alert.name}@{alert.etag}{alert.state}" for alert in self.alerts]
        state += [f"{rule.name}@{rule.etag}" for rule in self.rules]
        return hashlib.sha256("\n".join(state).encode()).hexdigest()[:32]


async def read_alerts(api: Tapelog, *, resolved: bool = False, with_songs: bool = False) -> Alerts:
    """Return the alerts and rules of a tenant; raises `PermissionDenied`."""
    alerts, rules = await asyncio.gather(api.alerts.open_alerts(show_resolved=resolved), api.alerts.rules())
    songs: dict[str, Song] = {}
    if with_songs:
        named = {alert.name: match[0] for alert in alerts if (match := SONG_NAME.search(alert.text))}
        found = await asyncio.gather(*(_song(api, name) for name in list(named.values())[:NAMED_MAX]))
        songs = {alert: song for alert, song in zip(named, found, strict=False) if song is not None}
    return Alerts(alerts, rules, songs)


async def _song(api: Tapelog, name: str) -> Song | None:
    """Return a song; None where there is none of that name, or the reader may not read it."""
    try:
        return await api.songs.get(name)
    except (NotFound, PermissionDenied):
        return None


class Preset(NamedTuple):
    """A rule that is made from a form.

    Attributes
    ----------
    title : str
        What it looks for, with `{n}` for its number.
    number, unit : int, str
        What the number is by default, and of what; 0 and empty for a rule without.
    unit_time : timedelta
        One of the unit.
    make : callable
        Returns the rule for a time as JSON has it ("3600s").
    """

    title: str
    number: int
    unit: str
    unit_time: timedelta
    make: Callable[[str], dict[str, Any]]

    def rule(self, number: int) -> pb.AlertRule:
        """Return the rule; `number` is ignored where the preset has none."""
        after = f"{int((number * self.unit_time).total_seconds())}s"
        made = {"title": self.title.format(n=number), **self.make(after)}
        made["template"] = made["template"].replace("{where}", SONG_TEMPLATE)
        return json_format.ParseDict(made, pb.AlertRule())


def _at_once(severity: str, type_: str, template: str, **more: object) -> Callable[[str], dict[str, Any]]:
    return lambda _: {"severity": severity, "filter": {"types": [type_]}, "template": template, **more}


def _waits(type_: str, until: list[str], template: str, **more: object) -> Callable[[str], dict[str, Any]]:
    def make(after: str) -> dict[str, Any]:
        absence = {"until_types": until, "after": after}
        return {**_at_once(WARNING, type_, template, **more)(after), "absence": absence}

    return make


WARNING: Final = "ALERT_SEVERITY_WARNING"
CRITICAL: Final = "ALERT_SEVERITY_CRITICAL"
NO_TIME: Final = timedelta()
SONG: Final = "tapelog.song."
JOB: Final = "tapelog.render_job."

PRESETS: Final[Mapping[str, Preset]] = {
    "artist-waits": Preset("A version waits for an answer for more than {n} h", 24, "hours", timedelta(hours=1), _waits(
        f"{SONG}version_submitted_for_review.v1",
        [f"{SONG}version_approval_given.v1", f"{SONG}changes_requested.v1", f"{SONG}version_superseded.v1"],
        "{data.kind} {data.number} of {where} has been waiting for an answer for {waited_h} h",
    )),
    "brief-broken": Preset("A version breaks the brief", 0, "", NO_TIME, _at_once(
        CRITICAL, f"{SONG}brief_violation_flagged.v1", "{where}: {data.verdict.constraint}: {data.verdict.evidence}",
    )),
    "render-failed": Preset("A render failed", 0, "", NO_TIME, _at_once(
        CRITICAL, f"{JOB}render_failed.v1", "{data.reason}: {data.message} (job {aggregate}, {where})",
    )),
    "render-waits": Preset("A render waits for more than {n} minutes", 10, "minutes", timedelta(minutes=1), _waits(
        f"{JOB}render_requested.v1", [f"{JOB}render_started.v1", f"{JOB}render_cancelled.v1"],
        "job {aggregate} of {where} has been in the queue for {waited_h} h", group_by="aggregate",
    )),
    "peak-over": Preset("A delivered master peaks over its ceiling", 0, "", NO_TIME, _at_once(
        CRITICAL, "tapelog.delivery_package.delivery_built.v1",
        "delivery {aggregate} of {where}: over the ceiling by {data.files.*.over_ceiling_db} dB",
        conditions=[
            {"field": "data.files.*.over_ceiling_db", "operator": "ALERT_OPERATOR_GREATER", "value": "0"}
        ],
    )),
}  # fmt: skip
"""What people ask for most; any other rule comes from a file (`tapelog alert add`)."""
