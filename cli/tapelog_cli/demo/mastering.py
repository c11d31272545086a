"""Act 5: the master to a streaming target, approved and delivered."""

from tapelog.session.v1 import resources_pb2 as res

from tapelog_cli.demo.errors import DemoFailed
from tapelog_cli.demo.material import ISRC, MIXER_INITIALS, Material
from tapelog_cli.demo.mixing import approve, violations
from tapelog_cli.demo.people import Booking
from tapelog_cli.demo.rendering import version_words, wait_rendered
from tapelog_cli.demo.show import Show
from tapelog_cli.printed.shapes import loudness_words


async def master(booking: Booking, material: Material, show: Show) -> res.Version:
    """Propose, render, check and approve the master."""
    proposed = await booking.mastering.versions.propose_master(
        booking.song, material.master_recipe(), comment="For streaming, a little tone and a little glue"
    )
    show.say("Mastering engineer", f"proposes {version_words(proposed)}: {proposed.comment!r}")
    rendered = await wait_rendered(booking.mastering, booking.project_id, proposed, show)
    show.say("Render worker", f"{version_words(rendered)} {loudness_words(rendered.audio[0].measurements)}")
    if broken := violations(rendered):
        raise DemoFailed(f"the master breaks the brief: {broken[0].evidence}")
    show.say("Brief check", "the master keeps every rule over the signal", style="green")
    return await approve(booking, rendered, show)


async def deliver(booking: Booking, show: Show) -> res.DeliveryPackage:
    """Set the ISRC, check that the package can be built, pass the last gate, build it and have it accepted."""
    await booking.producer.songs.set_isrc(booking.song, ISRC)
    draft = await booking.mastering.deliveries.build(booking.song, MIXER_INITIALS)
    show.say("Mastering engineer", f"builds a draft package: {len(draft.files)} files, nothing missing")
    await booking.producer.stages.advance(booking.song, res.STAGE_DELIVERED)
    show.say("Studio producer", "opens the gate to DELIVERED", style="green")
    package = await booking.mastering.deliveries.build(booking.song, MIXER_INITIALS)
    accepted = await booking.label.deliveries.accept(package.name)
    show.say("Label", f"accepts the package: {len(accepted.files)} files, manifest {accepted.manifest_sha256[:12]}…")
    return accepted
