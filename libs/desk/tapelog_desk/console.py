"""A recipe's words to the core's: processors, strips, buses."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_recipe import Violation, chain_inserts

from tapelog_desk.errors import RecipeRefusedError

PAN_LAWS_DB: Final = {
    pb.PAN_LAW_MINUS_3_DB: -3.0,
    pb.PAN_LAW_MINUS_4_5_DB: -4.5,
    pb.PAN_LAW_MINUS_6_DB: -6.0,
    pb.PAN_LAW_0_DB: 0.0,
}
JUMP_S: Final = 0.005
"""Time over which a held fader moves to its next value: a jump within one sample would click."""

SIDECHAIN_MIN_HZ: Final = 10.0
"""A lower corner of the detector's high-pass is as good as this one."""

DAMPING_BRIGHT_HZ: Final = 16_000.0
DAMPING_DARK_HZ: Final = 1_000.0
"""Corner of the low-pass inside the reverb at damping 0 and 1; in between it moves by equal intervals."""


def damping_hz(damping: float) -> float:
    """Return the corner of the reverb's loop filter, to the whole hertz so that no library decides its last bit."""
    return float(round(DAMPING_BRIGHT_HZ * (DAMPING_DARK_HZ / DAMPING_BRIGHT_HZ) ** damping))


def _band(band: pb.EqBand) -> dsp.Bell | dsp.LowShelf | dsp.HighShelf | dsp.Notch:
    if band.shape == pb.EQ_SHAPE_LOW_SHELF:
        return dsp.LowShelf(band.frequency_hz, band.gain_db)
    if band.shape == pb.EQ_SHAPE_HIGH_SHELF:
        return dsp.HighShelf(band.frequency_hz, band.gain_db)
    if band.shape == pb.EQ_SHAPE_NOTCH:
        return dsp.Notch(band.frequency_hz, band.q)
    return dsp.Bell(band.frequency_hz, band.gain_db, band.q)


def _compressor(settings: pb.Compressor) -> dsp.Compressor:
    side_hz = settings.sidechain_high_pass_hz
    return dsp.Compressor(
        threshold_db=settings.threshold_db,
        ratio=settings.ratio,
        attack_ms=settings.attack_ms,
        release_ms=settings.release_ms,
        knee_db=settings.knee_db,
        makeup_db=settings.makeup_db,
        mix=settings.mix,
        sidechain_highpass_hz=max(side_hz, SIDECHAIN_MIN_HZ) if side_hz > 0.0 else None,
    )


def _delay(settings: pb.Delay) -> dsp.Delay:
    return dsp.Delay(
        time_ms=settings.time_ms,
        feedback=settings.feedback,
        mix=settings.mix,
        highpass_hz=settings.high_pass_hz or None,
        lowpass_hz=settings.low_pass_hz or None,
    )


def _reverb(settings: pb.Reverb) -> dsp.PlateReverb:
    return dsp.PlateReverb(
        decay_s=settings.decay_s,
        predelay_ms=settings.pre_delay_ms,
        damping_hz=damping_hz(settings.damping),
        mix=settings.mix,
    )


def processor(insert: pb.Processor) -> dsp.ProcessorSpec:
    """Return the core's processor for a resolved insert.

    Raises
    ------
    ParameterError
        A setting is beyond what the core is defined for.
    """
    kind = insert.WhichOneof("kind")
    if kind == "high_pass":
        return dsp.HighPass(insert.high_pass.frequency_hz, insert.high_pass.slope_db_oct)
    if kind == "low_pass":
        return dsp.LowPass(insert.low_pass.frequency_hz, insert.low_pass.slope_db_oct)
    if kind == "eq":
        return dsp.ParametricEq(tuple(_band(band) for band in insert.eq.bands))
    if kind == "compressor":
        return _compressor(insert.compressor)
    if kind == "delay":
        return _delay(insert.delay)
    if kind == "reverb":
        return _reverb(insert.reverb)
    return dsp.Width(insert.width.width)


def chain(inserts: Iterable[pb.Processor], path: str, channels: int = 2) -> tuple[dsp.ProcessorSpec, ...]:
    """Return the processors of a resolved chain, without the bypassed ones.

    Width is left out of a mono chain: a mono signal has no side, so every width leaves it as it is.

    Raises
    ------
    RecipeRefusedError
        A setting is beyond what the core is defined for; names its path.
    """
    processors: list[dsp.ProcessorSpec] = []
    for insert in chain_inserts(inserts, path):
        if insert.processor.bypass or (channels == 1 and insert.kind == "width"):
            continue
        try:
            processors.append(processor(insert.processor))
        except dsp.ParameterError as error:
            raise RecipeRefusedError([Violation(insert.path, str(error))]) from error
    return tuple(processors)


def _sends(sends: Iterable[pb.RecipeSend]) -> tuple[dsp.SendSpec, ...]:
    return tuple(dsp.SendSpec(send.bus, send.gain_db, send.pre_fader) for send in sends)


def automation(points: Sequence[pb.GainPoint], sample_rate_hz: int) -> tuple[dsp.GainPoint, ...]:
    """Return a fader's moves, with the jump at the end of each held value spread over `JUMP_S`.

    The jump begins at the frame of the point it leads to and ends before the point after that.
    """
    moves: list[dsp.GainPoint] = []
    for index, point in enumerate(points):
        before = points[index - 1] if index else None
        if before is not None and before.curve == pb.AUTOMATION_CURVE_HOLD and before.gain_db != point.gain_db:
            room = points[index + 1].frame - point.frame - 1 if index + 1 < len(points) else sample_rate_hz
            jump = min(round(JUMP_S * sample_rate_hz), room)
            if jump > 0:
                moves.append(dsp.GainPoint(point.frame, before.gain_db))
                moves.append(dsp.GainPoint(point.frame + jump, point.gain_db, _shape(point)))
                continue
        moves.append(dsp.GainPoint(point.frame, point.gain_db, _shape(point)))
    return tuple(moves)


def _shape(point: pb.GainPoint) -> str:
    return "hold" if point.curve == pb.AUTOMATION_CURVE_HOLD else "linear"


def track_spec(track: pb.RecipeTrack, channels: int, sample_rate_hz: int) -> dsp.TrackSpec:
    """Return the strip of a track; a muted one is kept as a silent strip, for the length of the mix."""
    if track.mute:
        return dsp.TrackSpec(track.id, channels=1, start_frame=track.start_frame)
    return dsp.TrackSpec(
        track.id,
        channels=channels,
        gain_db=track.gain_db,
        pan=track.pan,
        polarity_inverted=track.polarity_inverted,
        start_frame=track.start_frame,
        processors=chain(track.chain, f"tracks[{track.id}].chain", channels),
        sends=_sends(track.sends),
        output_bus=track.output_bus or dsp.MIX,
        gain_automation=automation(track.gain_automation, sample_rate_hz),
    )


def bus_spec(bus: pb.RecipeBus) -> dsp.BusSpec:
    """Return the strip of a bus."""
    return dsp.BusSpec(
        bus.id,
        gain_db=bus.gain_db,
        mute=bus.mute,
        processors=chain(bus.chain, f"buses[{bus.id}].chain"),
        sends=_sends(bus.sends),
        output_bus=bus.output_bus or dsp.MIX,
    )


def mix_spec(recipe: pb.MixRecipe, channels: Mapping[str, int]) -> dsp.MixSpec:
    """Return the core's mix for a resolved, valid recipe.

    Parameters
    ----------
    recipe : MixRecipe
        With every default written out.
    channels : mapping of str to int
        Channels of each track's source.

    Raises
    ------
    RecipeRefusedError
        A setting is beyond what the core is defined for; names its path.
    """
    return dsp.MixSpec(
        sample_rate=recipe.sample_rate_hz,
        tracks=tuple(track_spec(track, channels[track.id], recipe.sample_rate_hz) for track in recipe.tracks),
        buses=tuple(bus_spec(bus) for bus in recipe.buses),
        pan_law_db=PAN_LAWS_DB[recipe.pan_law],
        processors=chain(recipe.mix_chain, "mix_chain"),
        gain_db=recipe.mix_gain_db,
        tail_s=recipe.tail_s,
    )
