"""Act 2, continued: stems uploaded as takes, checked on arrival, selected, and the gate to MIXING."""

from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import Progress

from tapelog_cli.demo.errors import DemoFailed
from tapelog_cli.demo.material import Material
from tapelog_cli.demo.people import Booking
from tapelog_cli.demo.show import Show
from tapelog_cli.printed.shapes import mebibytes


async def record(booking: Booking, material: Material, show: Show) -> dict[str, str]:
    """Upload every stem, wait for the arrival checks, select the takes; return the SHA-256 of each stem's file name."""
    engineer = booking.recording
    total_bytes = sum(track.path.stat().st_size for track in material.tracks)
    sent_bytes = 0
    takes: dict[str, res.Take] = {}
    with show.bar("uploading stems") as bar:
        for track in material.tracks:
            await engineer.takes.define_track(booking.song, track.id, track.title)

            def on_progress(progress: Progress, before: int = sent_bytes) -> None:
                if progress.phase == "send":
                    bar.update(100 * (before + progress.done_bytes) / total_bytes)

            takes[track.id] = await engineer.takes.record(booking.song, track.id, track.path, progress=on_progress)
            sent_bytes += track.path.stat().st_size
    size = mebibytes(total_bytes)
    show.say("Recording engineer", f"uploads {len(takes)} stems ({size}) in chunks, each verified by its SHA-256")
    song = await engineer.takes.wait_checked(booking.song)
    for take in song.takes:
        if take.check_state != res.TAKE_CHECK_STATE_PASSED:
            raise DemoFailed(f"take {take.id} of {take.track} failed its check: {'; '.join(take.findings)}")
    show.say("Render workers", f"decode and measure {len(song.takes)} takes: all fit for use")
    for track_id, take in takes.items():
        await booking.producer.takes.select(booking.song, track_id, take.id)
    show.say("Studio producer", f"selects {len(takes)} takes")
    await booking.producer.stages.advance(booking.song, res.STAGE_MIXING)
    show.say("Studio producer", "opens the gate to MIXING", style="green")
    return {track.file: takes[track.id].asset_sha256 for track in material.tracks}
