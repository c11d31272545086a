"""Acts 3 and 4: mix 1 breaks the brief and is sent back; mix 2 follows it and is approved."""

from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client.timecodes import timecode

from tapelog_cli.demo.errors import DemoFailed
from tapelog_cli.demo.material import Material
from tapelog_cli.demo.people import Booking
from tapelog_cli.demo.rendering import version_words, wait_rendered
from tapelog_cli.demo.show import Show
from tapelog_cli.printed.shapes import loudness_words


async def break_the_brief(
    booking: Booking, material: Material, sources: dict[str, str], show: Show
) -> tuple[res.Version, res.Note]:
    """Propose mix 1, flagged before any render; the producer asks for changes with a timecoded note."""
    mix = await booking.mixing.versions.propose_mix(
        booking.song, material.mix_recipe("mix-1.yaml", sources), comment="A slap echo to lift the lead in the verse"
    )
    show.say("Mixing engineer", f"proposes {version_words(mix)}: {mix.comment!r}")
    broken = violations(mix)
    if not broken:
        raise DemoFailed("mix 1 has a delay on the lead, and the brief check did not flag it")
    for verdict in broken:
        paths = ", ".join(verdict.recipe_paths)
        show.say("Brief check", f"VIOLATION before any render, at {paths}", style="yellow")
        show.say("", f"the artist's words: {verdict.statement!r}", style="yellow")
    mix = await wait_rendered(booking.mixing, booking.project_id, mix, show)
    show.say("Render worker", f"{version_words(mix)} {loudness_words(mix.audio[0].measurements)}")
    await booking.mixing.versions.submit(mix.name)
    begin, end = material.note_frames
    note = await booking.producer.notes.add(
        mix.name,
        "The echo hides the words. Take the delay off the lead; keep the room.",
        frames=(begin, end),
        tracks=["lead-vox"],
        category=res.NOTE_CATEGORY_EFFECT,
        severity=res.NOTE_SEVERITY_BLOCKER,
    )
    passage = f"{timecode(begin, material.sample_rate_hz)}-{timecode(end, material.sample_rate_hz)}"
    show.say("Studio producer", f"notes at {passage}: {note.text!r}")
    await booking.producer.versions.request_changes(mix.name, "Bring the lead back to the brief.", notes=[note.id])
    show.say("Studio producer", f"asks for changes to {version_words(mix)}", style="yellow")
    return mix, note


async def follow_the_brief(
    booking: Booking, material: Material, sources: dict[str, str], note: res.Note, show: Show
) -> res.Version:
    """Propose mix 2, render it, have it approved by artist and producer, and pass the gate to MASTERING."""
    mix = await booking.mixing.versions.propose_mix(
        booking.song,
        material.mix_recipe("mix-2.yaml", sources),
        comment="The lead is dry and close: no delay, little plate, a few rides",
    )
    show.say("Mixing engineer", f"proposes {version_words(mix)}: {mix.comment!r}")
    if broken := violations(mix):
        raise DemoFailed(f"mix 2 breaks the brief: {broken[0].evidence}")
    show.say("Brief check", f"every rule over the recipe kept ({len(mix.verdicts)} verdicts)", style="green")
    mix = await wait_rendered(booking.mixing, booking.project_id, mix, show)
    show.say("Render worker", f"{version_words(mix)} {loudness_words(mix.audio[0].measurements)}")
    await booking.mixing.notes.address(booking.song, note.id, "The delay is gone.", mix.name)
    await booking.producer.notes.verify(booking.song, note.id)
    show.say("Studio producer", "hears that the note is done")
    mix = await approve(booking, mix, show)
    await booking.producer.stages.advance(booking.song, res.STAGE_MASTERING)
    show.say("Studio producer", "opens the gate to MASTERING", style="green")
    return mix


async def approve(booking: Booking, version: res.Version, show: Show) -> res.Version:
    """Submit a rendered version; artist and producer approve exactly the samples that were rendered."""
    proposer = booking.mixing if version.kind == res.VERSION_KIND_MIX else booking.mastering
    await proposer.versions.submit(version.name)
    heard = version.audio[0].sample_digest
    await booking.artist.versions.approve(version.name, heard)
    approved = await booking.producer.versions.approve(version.name, heard)
    if approved.state != res.VERSION_STATE_APPROVED:
        raise DemoFailed(f"{version.name} has both approvals and is {res.VersionState.Name(approved.state)}")
    show.say("Artist + producer", f"approve {version_words(version)}, samples {heard[:12]}…", style="green")
    return approved


def violations(version: res.Version) -> list[brief_pb2.BriefVerdict]:
    """Return the rules that a version breaks."""
    return [verdict for verdict in version.verdicts if verdict.verdict == brief_pb2.VERDICT_VIOLATION]
