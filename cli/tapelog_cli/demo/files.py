"""The files that the demo leaves: audio, the delivery's manifest, events, usage."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from tapelog.common.v1 import audio_pb2, event_pb2
from tapelog.render.v1 import resources_pb2 as render
from tapelog.session.v1 import resources_pb2 as res

from tapelog_cli.demo.errors import DemoFailed
from tapelog_cli.demo.people import Booking
from tapelog_cli.printed.shapes import event_as_dict


async def fetch_audio(
    booking: Booking,
    mix: res.Version,
    master: res.Version,
    alternates: Sequence[res.AlternateRender],
    out: Path,
) -> dict[str, audio_pb2.AudioResult]:
    """Download the audio into `out`, verified by SHA-256; return what each file is."""
    wanted = {
        "master.wav": _container(master, "wav"),
        "master.flac": _container(master, "flac"),
        f"mix-{mix.number}.wav": _container(mix, "wav"),
        **{f"alternate-{alternate.id}.wav": alternate.audio for alternate in alternates},
    }
    for name, result in wanted.items():
        await booking.producer.assets.download(booking.project, result.sha256, out / name)
    return wanted


async def fetch_manifest(booking: Booking, package: res.DeliveryPackage, out: Path) -> None:
    """Download the manifest of the delivery package."""
    await booking.label.assets.download(booking.project, package.manifest_sha256, out / "manifest.json")


async def fetch_attachment(booking: Booking, version: res.Version, role: str, path: Path) -> Path:
    """Download a file that the render made beside the audio."""
    for attachment in version.attachments:
        if attachment.role == role:
            return await booking.producer.assets.download(booking.project, attachment.sha256, path)
    raise DemoFailed(f"{version.name} has no attachment {role!r}")


def write_events(events: Sequence[event_pb2.Event], path: Path) -> None:
    """Write every public event, one JSON object a line, in order."""
    with path.open("w") as file:
        for event in events:
            file.write(json.dumps(event_as_dict(event), sort_keys=True) + "\n")


def write_usage(entries: Sequence[render.UsageEntry], path: Path) -> None:
    """Write the usage ledger as CSV."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["usage_key", "account", "song", "kind", "quantity_ms", "recipe_digest", "job", "state"])
        for entry in entries:
            rows.writerow(
                [
                    entry.usage_key,
                    entry.account,
                    entry.song,
                    render.RenderKind.Name(entry.kind).removeprefix("RENDER_KIND_"),
                    entry.quantity_ms,
                    entry.recipe_digest,
                    entry.job,
                    render.UsageState.Name(entry.state).removeprefix("USAGE_STATE_"),
                ]
            )


def _container(version: res.Version, container: str) -> audio_pb2.AudioResult:
    for result in version.audio:
        if result.format.container == container:
            return result
    have = ", ".join(result.format.container for result in version.audio) or "none"
    raise DemoFailed(f"{version.name} has no {container} file, only: {have}")
