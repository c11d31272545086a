"""What the demo tells at the end: the same facts as a table for people and as a document for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from tapelog.common.v1 import audio_pb2, event_pb2
from tapelog.render.v1 import resources_pb2 as render
from tapelog.session.v1 import events_pb2 as facts
from tapelog.session.v1 import resources_pb2 as res

from tapelog_cli.demo.reconcile import Agreement
from tapelog_cli.printed.output import table
from tapelog_cli.printed.shapes import as_dict, figure, format_words

STAGE_ADVANCED: Final = "tapelog.song.stage_advanced.v1"
SONG_CREATED: Final = "tapelog.song.song_created.v1"
DECISIONS: Final = {
    "tapelog.song.brief_agreed.v1": "agreed to the brief",
    "tapelog.song.arrangement_approved.v1": "approved the arrangement",
    "tapelog.song.brief_violation_flagged.v1": "brief violation flagged",
    "tapelog.song.changes_requested.v1": "asked for changes",
    "tapelog.song.version_approval_given.v1": "approved a version",
    "tapelog.song.stage_advanced.v1": "opened a gate",
    "tapelog.delivery_package.delivery_accepted.v1": "accepted the delivery",
}


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that the demo made and found."""

    title: str
    artist: str
    credits: str
    project: str
    song: str
    mix: res.Version
    master: res.Version
    audio: Mapping[str, audio_pb2.AudioResult]
    agreement: Agreement
    act_times_s: Mapping[str, float]
    total_s: float
    out: str

    def as_document(self) -> dict[str, Any]:
        """Return the result as a JSON value."""
        return {
            "title": self.title,
            "artist": self.artist,
            "credits": self.credits,
            "project": self.project,
            "song": self.song,
            "mix_sample_digest": self.mix.audio[0].sample_digest,
            "master_sample_digest": self.master.audio[0].sample_digest,
            "files": {name: as_dict(result) for name, result in self.audio.items()},
            "stages_s": stage_times_s(self.agreement.events),
            "decisions": decisions(self.agreement.events),
            "usage": usage(self.agreement.entries),
            "agreement": {
                "song_events": self.agreement.song_events,
                "public_events": len(self.agreement.events),
                "received": self.agreement.counts,
                "usage_entries": len(self.agreement.entries),
                "agree": True,
            },
            "acts_s": {act: round(seconds, 3) for act, seconds in self.act_times_s.items()},
            "total_s": round(self.total_s, 3),
            "out": self.out,
        }


def stage_times_s(events: Sequence[event_pb2.Event]) -> dict[str, float]:
    """Return how long the song was in each stage that it left."""
    times: dict[str, float] = {}
    entered = next(event.time.ToDatetime() for event in events if event.type == SONG_CREATED)
    for event in events:
        if event.type == STAGE_ADVANCED:
            advanced = facts.StageAdvanced.FromString(event.data.value)
            left = event.time.ToDatetime()
            name = res.Stage.Name(getattr(advanced, "from")).removeprefix("STAGE_")
            times[name] = round((left - entered).total_seconds(), 3)
            entered = left
    return times


def decisions(events: Sequence[event_pb2.Event]) -> list[dict[str, str]]:
    """Return who decided what, in which role."""
    return [
        {"what": DECISIONS[event.type], "by": event.actor, "role": event.role_used, "event": event.id}
        for event in events
        if event.type in DECISIONS
    ]


def usage(entries: Sequence[render.UsageEntry]) -> dict[str, dict[str, float]]:
    """Return settled usage by kind: how many renders, how many seconds of audio."""
    kinds: dict[str, dict[str, float]] = {}
    for entry in entries:
        if entry.state == render.USAGE_STATE_SETTLED:
            kind = kinds.setdefault(render.RenderKind.Name(entry.kind).removeprefix("RENDER_KIND_"), {})
            kind["renders"] = kind.get("renders", 0) + 1
            kind["seconds"] = kind.get("seconds", 0) + entry.quantity_ms / 1000
    return kinds


def print_result(result: Result, console: Console) -> None:
    """Print the short tables at the end."""
    console.print()
    figures = table("file", "LUFS-I", "LRA", "true peak", "format", title=f"{result.artist}: {result.title}")
    for name, audio in result.audio.items():
        measured = audio.measurements
        figures.add_row(
            name,
            figure(measured, "integrated_lufs"),
            f"{figure(measured, 'loudness_range_lu')} LU",
            f"{figure(measured, 'true_peak_dbtp')} dBTP",
            format_words(audio.format),
        )
    console.print(figures)
    console.print()
    for name in ("master.wav", f"mix-{result.mix.number}.wav"):  # as sha256sum prints and checks it
        console.print(f"{result.audio[name].sha256}  {name}")
    console.print()
    rows = table("", "")
    rows.show_header = False
    for name, value in _facts(result):
        rows.add_row(name, value)
    console.print(rows)


def _facts(result: Result) -> list[tuple[str, str]]:
    events = result.agreement.events
    stages = ", ".join(f"{stage.lower().replace('_', '-')} {s:.1f} s" for stage, s in stage_times_s(events).items())
    made = ", ".join(
        f"{int(kind['renders'])} {name.lower()} ({kind['seconds']:.1f} s)"
        for name, kind in usage(result.agreement.entries).items()
    )
    counts: dict[str, int] = {}
    for decision in decisions(events):
        counts[decision["what"]] = counts.get(decision["what"], 0) + 1
    received = ", ".join(f"{name} {count}" for name, count in result.agreement.counts.items())
    return [
        ("stage times", stages),
        ("decisions", ", ".join(f"{what} {count}x" for what, count in counts.items())),
        ("usage settled", made),
        ("received", f"{received}; all agree with the event log and the usage ledger"),
        ("credits", result.credits),
        ("files", result.out),
        ("took", f"{result.total_s:.1f} s"),
    ]
