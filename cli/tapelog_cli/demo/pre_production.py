"""Act 2: the vision brief, the arrangement, and the gate to RECORDING."""

from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client.errors import FailedPrecondition

from tapelog_cli.demo.material import Material
from tapelog_cli.demo.people import ARTIST, Booking
from tapelog_cli.demo.show import Show


def vision() -> brief_pb2.Brief:
    """Return what the artist wants, in words and as rules that can be checked."""
    lead = brief_pb2.TrackSelector(tracks=["lead"])
    return brief_pb2.Brief(
        intent="Close and human: the voice in the room with you, the band behind it. Loud enough, never crushed.",
        non_goals=["No echo on the lead vocal", "No wall of reverb"],
        constraints=[
            brief_pb2.Constraint(
                id="dry-lead",
                statement="No delay on my lead vocal. I want to hear the room I sang in, not an echo.",
                effect_forbidden=brief_pb2.EffectForbidden(selector=lead, effects=["delay"]),
            ),
            brief_pb2.Constraint(
                id="reverb-restraint",
                statement="Reverb is a hint: no send of the lead above -14 dB.",
                send_limit=brief_pb2.SendLimit(selector=lead, effect="reverb", max_gain_db=-14.0),
            ),
            brief_pb2.Constraint(
                id="keep-the-voice",
                statement="The lead vocal stays in the mix.",
                must_keep=brief_pb2.MustKeep(tracks=["lead-vox"]),
            ),
            brief_pb2.Constraint(
                id="no-clipping",
                statement="No player may clip on the master.",
                true_peak_max=brief_pb2.TruePeakMax(max_dbtp=-1.0, applies_to=brief_pb2.APPLIES_TO_MASTER),
            ),
            brief_pb2.Constraint(
                id="streaming-level",
                statement="As loud as streaming plays it, and no louder.",
                loudness_bounds=brief_pb2.LoudnessBounds(
                    min_integrated_lufs=-14.5, max_integrated_lufs=-13.5, applies_to=brief_pb2.APPLIES_TO_MASTER
                ),
            ),
        ],
    )


async def agree(booking: Booking, material: Material, show: Show) -> None:
    """Agree on the brief and the arrangement, and pass the gate to RECORDING."""
    await booking.artist.songs.register_work(booking.song, material.title, [ARTIST])
    await _show_closed_gate(booking, show)
    song = await booking.artist.briefs.propose(booking.song, vision())
    rules = len(song.brief.constraints)
    show.say("Artist", f"proposes the vision brief, revision {song.brief.revision}, with {rules} rules")
    await booking.artist.briefs.agree(booking.song, song.brief.revision)
    await booking.producer.briefs.agree(booking.song, song.brief.revision)
    show.say("Artist + producer", "agree on the brief")
    await booking.artist.songs.approve_arrangement(booking.song)
    await booking.producer.songs.approve_arrangement(booking.song)
    show.say("Artist + producer", "approve the arrangement")
    await booking.producer.stages.advance(booking.song, res.STAGE_RECORDING)
    show.say("Studio producer", "opens the gate to RECORDING", style="green")


async def _show_closed_gate(booking: Booking, show: Show) -> None:
    """Try the gate too early: it names everything that is missing."""
    try:
        await booking.producer.stages.advance(booking.song, res.STAGE_RECORDING)
    except FailedPrecondition as refused:
        missing = ", ".join(violation.type for violation in refused.violations)
        show.say("Gate", f"stays closed: {missing}", style="yellow")
