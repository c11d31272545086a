"""Act 6: three alternates of the approved mix, as one batch over the workers."""

from tapelog.session.v1 import resources_pb2 as res

from tapelog_cli.demo.material import Material
from tapelog_cli.demo.people import Booking
from tapelog_cli.demo.show import Show
from tapelog_cli.printed.shapes import loudness_words


async def make_alternates(
    booking: Booking, material: Material, mix: res.Version, show: Show
) -> list[res.AlternateRender]:
    """Ask for the alternates and wait until all are rendered."""
    wanted = material.alternates()
    await booking.mixing.versions.request_alternates(mix.name, wanted)
    show.say("Mixing engineer", f"asks for {len(wanted)} alternates: {', '.join(one.id for one in wanted)}")
    song = await booking.mixing.versions.wait_alternates(booking.song, mix.name)
    rendered = [alternate for alternate in song.alternates if alternate.version == mix.name]
    for alternate in rendered:
        show.say("Render workers", f"{alternate.id} {loudness_words(alternate.audio.measurements)}")
    return rendered
