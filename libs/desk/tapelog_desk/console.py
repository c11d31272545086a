"""A recipe's words to the core's: processors, strips, buses."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import tapelog_dsp as dsp
from google.protobuf.message import Message
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_parameters import PROCESSORS, recipe_parameters
from tapelog_recipe import Violation, chain_inserts

from tapelog_desk.errors import RecipeRefusedError
from tapelog_desk.impulses import ImpulseOf, no_impulses

PAN_LAWS_DB: Final = {
    pb.PAN_LAW_MINUS_3_DB: -3.0,
    pb.PAN_LAW_MINUS_4_5_DB: -4.5,
    pb.PAN_LAW_MINUS_6_DB: -6.0,
    pb.PAN_LAW_0_DB: 0.0,
}
_CURVES: Final = {
    pb.AUTOMATION_CURVE_LINEAR: "linear",
    pb.AUTOMATION_CURVE_HOLD: "hold",
    pb.AUTOMATION_CURVE_SMOOTH: "smooth",
    pb.AUTOMATION_CURVE_EARLY: "early",
    pb.AUTOMATION_CURVE_LATE: "late",
}

SETTING_NAMES: Final = {
    (owner, entry.recipe_name): name
    for owner, entries in PROCESSORS.items()
    for name, entry in entries.items()
    if entry.recipe_name not in ("", "-")
}
"""(processor, a recipe's word) -> the core's word, where they differ."""

DAMPING_BRIGHT_HZ: Final = 16_000.0
DAMPING_DARK_HZ: Final = 1_000.0
"""Corner of the low-pass inside the reverb at damping 0 and 1; in between it moves by equal intervals."""


def damping_hz(damping: float) -> float:
    """Return the corner of the reverb's loop filter, to the whole hertz so that no library decides its last bit."""
    return float(round(DAMPING_BRIGHT_HZ * (DAMPING_DARK_HZ / DAMPING_BRIGHT_HZ) ** damping))


def _band(band: pb.EqBand) -> dsp.Bell | dsp.LowShelf | dsp.HighShelf | dsp.Notch | dsp.Tilt:
    if band.shape == pb.EQ_SHAPE_LOW_SHELF:
        return dsp.LowShelf(band.frequency_hz, band.gain_db)
    if band.shape == pb.EQ_SHAPE_HIGH_SHELF:
        return dsp.HighShelf(band.frequency_hz, band.gain_db)
    if band.shape == pb.EQ_SHAPE_NOTCH:
        return dsp.Notch(band.frequency_hz, band.q)
    if band.shape == pb.EQ_SHAPE_TILT:
        return dsp.Tilt(band.frequency_hz, band.gain_db)
    return dsp.Bell(band.frequency_hz, band.gain_db, band.q)


def _settings(message: Message, owner: str) -> dict[str, Any]:
    """Return a message's numbers under the core's names; what is off is None."""
    values: dict[str, Any] = {}
    for name, entry in recipe_parameters(owner).items():
        value = getattr(message, name)
        values[SETTING_NAMES.get((owner, name), name)] = None if entry.zero_is_off and value == 0 else value
    return values


def _key(sidechain: pb.Sidechain) -> dsp.Key | None:
    return dsp.Key(sidechain.source, sidechain.pre_fader) if sidechain.source else None


def _delay(settings: pb.Delay, tempo_bpm: float) -> dsp.Delay:
    values = _settings(settings, "Delay")
    values["time_ms"] = settings.beats * 60_000.0 / tempo_bpm if settings.beats > 0.0 else settings.time_ms
    return dsp.Delay(**values, ping_pong=settings.ping_pong)


def _reverb(settings: pb.Reverb) -> dsp.PlateReverb:
    return dsp.PlateReverb(**_settings(settings, "PlateReverb"), damping_hz=damping_hz(settings.damping))


_PLAIN: Final[dict[str, Callable[..., dsp.ProcessorSpec]]] = {
    "high_pass": dsp.HighPass,
    "low_pass": dsp.LowPass,
    "width": dsp.Width,
    "gain": dsp.Gain,
    "time_align": dsp.TimeAlign,
    "de_esser": dsp.DeEsser,
    "transient_shaper": dsp.TransientShaper,
    "saturation": dsp.Saturation,
    "mono_maker": dsp.MonoMaker,
    "room": dsp.RoomReverb,
    "clipper": dsp.Clipper,
    "exciter": dsp.Exciter,
}
"""Kinds of inserts whose numbers are all there is to them."""

_PHASES: Final = {pb.CURVE_PHASE_MINIMUM: "minimum", pb.CURVE_PHASE_LINEAR: "linear"}

_KEYED: Final[dict[str, Callable[..., dsp.ProcessorSpec]]] = {
    "compressor": dsp.Compressor,
    "gate": dsp.Gate,
    "dynamic_eq": dsp.DynamicEq,
}


def processor(
    insert: pb.Processor, tempo_bpm: float = 0.0, channels: int = 2, impulse_of: ImpulseOf = no_impulses
) -> dsp.ProcessorSpec:
    """Return the core's processor for a resolved insert on a strip of so many channels; mono is all middle.

    Raises
    ------
    ParameterError
        A setting is beyond what the core is defined for.
    """
    made = _processor(insert, tempo_bpm, impulse_of)
    if insert.channels == pb.INSERT_CHANNELS_MID and channels == 2:
        return dsp.MidSide(mid=(made,))
    if insert.channels == pb.INSERT_CHANNELS_SIDE:
        return dsp.MidSide(side=(made,))
    return made


def _processor(insert: pb.Processor, tempo_bpm: float, impulse_of: ImpulseOf) -> dsp.ProcessorSpec:
    kind = insert.WhichOneof("kind") or ""
    if kind == "eq":
        return dsp.ParametricEq(tuple(_band(band) for band in insert.eq.bands))
    if kind == "delay":
        return _delay(insert.delay, tempo_bpm)
    if kind == "reverb":
        return _reverb(insert.reverb)
    if kind == "convolution":
        settings = insert.convolution
        return dsp.ConvolutionReverb(
            impulse_of(settings.impulse), **_settings(settings, "ConvolutionReverb"), normalise=not settings.keep_level
        )
    if kind == "multiband":
        bands = tuple(dsp.BandDynamics(**_settings(band, "BandDynamics")) for band in insert.multiband.bands)
        return dsp.Multiband(tuple(insert.multiband.splits_hz), bands)
    if kind == "linear_phase_eq":
        eq = insert.linear_phase_eq
        return dsp.LinearPhaseEq(tuple(_band(band) for band in eq.bands), eq.length_ms)
    if kind == "curve_eq":
        points = tuple((point.frequency_hz, point.gain_db) for point in insert.curve_eq.curve)
        return dsp.CurveEq(points, _PHASES[insert.curve_eq.phase], insert.curve_eq.length_ms)
    settings = getattr(insert, kind)
    owner = settings.DESCRIPTOR.name
    if kind in _KEYED:
        return _KEYED[kind](**_settings(settings, owner), key=_key(settings.sidechain))
    return _PLAIN[kind](**_settings(settings, owner))


def gain_points(points: Iterable[pb.GainPoint]) -> tuple[dsp.GainPoint, ...]:
    """Return a gain's breakpoints."""
    return tuple(dsp.GainPoint(point.frame, point.gain_db, _CURVES[point.curve]) for point in points)


_STEREO_ONLY: Final = frozenset({"width", "mono_maker"})
"""What acts on the sides alone: mono has none, so it is left as it is."""


def _is_used(insert: pb.Processor, channels: int) -> bool:
    """Tell whether an insert does anything: it is not bypassed, and on mono it is not about the sides."""
    about_sides = insert.WhichOneof("kind") in _STEREO_ONLY or insert.channels == pb.INSERT_CHANNELS_SIDE
    return not insert.bypass and not (channels == 1 and about_sides)


def moving_settings(
    automation: Iterable[pb.SettingAutomation],
    inserts: Sequence[pb.Processor],
    channels: int = 2,
    tempo_bpm: float = 0.0,
) -> tuple[dsp.MovingSetting, ...]:
    """Return the settings that move, at the places that they have among the inserts that are used."""
    moving = []
    for entry in automation:
        insert = inserts[entry.position]
        if not _is_used(insert, channels):
            continue
        name, value_of = _core_setting(insert, entry.setting, tempo_bpm)
        moving.append(
            dsp.MovingSetting(
                sum(_is_used(before, channels) for before in inserts[: entry.position]),
                name,
                tuple(
                    dsp.SettingPoint(point.frame, value_of(point.value), _CURVES[point.curve]) for point in entry.points
                ),
            )
        )
    return tuple(moving)


def _core_setting(insert: pb.Processor, setting: str, tempo_bpm: float) -> tuple[str, Callable[[float], float]]:
    """Return the core's word for an insert's setting that moves, and what turns a recipe's value into the core's."""
    kind = insert.WhichOneof("kind") or ""
    if kind == "delay" and setting == "beats":
        return "time_ms", lambda beats: beats * 60_000.0 / tempo_bpm
    if kind == "reverb":
        if setting == "damping":
            return "damping_hz", damping_hz
        return SETTING_NAMES.get(("PlateReverb", setting), setting), float
    owner = getattr(insert, kind).DESCRIPTOR.name
    return SETTING_NAMES.get((owner, setting), setting), float


def chain(
    inserts: Iterable[pb.Processor],
    path: str,
    tempo_bpm: float = 0.0,
    channels: int = 2,
    impulse_of: ImpulseOf = no_impulses,
) -> tuple[dsp.ProcessorSpec, ...]:
    """Return the processors of a resolved chain, without those that do nothing.

    Raises
    ------
    RecipeRefusedError
        A setting is beyond what the core is defined for; names its path.
    """
    processors: list[dsp.ProcessorSpec] = []
    for insert in chain_inserts(inserts, path):
        if not _is_used(insert.processor, channels):
            continue
        try:
            processors.append(processor(insert.processor, tempo_bpm, channels, impulse_of))
        except dsp.ParameterError as error:
            raise RecipeRefusedError([Violation(insert.path, str(error))]) from error
    return tuple(processors)


def _sends(sends: Iterable[pb.RecipeSend]) -> tuple[dsp.SendSpec, ...]:
    return tuple(
        dsp.SendSpec(send.bus, send.gain_db, send.pre_fader, gain_points(send.gain_automation)) for send in sends
    )


def track_spec(
    track: pb.RecipeTrack, channels: int, tempo_bpm: float = 0.0, impulse_of: ImpulseOf = no_impulses
) -> dsp.TrackSpec:
    """Return the strip of a track; a muted one is kept as a silent strip, for the length of the mix."""
    if track.mute:
        return dsp.TrackSpec(track.id, channels=1, start_frame=track.start_frame)
    dual = track.HasField("dual_pan")
    return dsp.TrackSpec(
        track.id,
        channels=channels,
        gain_db=track.gain_db,
        pan=track.dual_pan.left if dual else track.pan,
        pan_right=track.dual_pan.right if dual else None,
        polarity_inverted=track.polarity_inverted,
        start_frame=track.start_frame,
        processors=chain(track.chain, f"tracks[{track.id}].chain", tempo_bpm, channels, impulse_of),
        sends=_sends(track.sends),
        output_bus=track.output_bus or dsp.MIX,
        gain_automation=gain_points(track.gain_automation),
        solo=track.solo,
        pan_automation=tuple(dsp.PanPoint(p.frame, p.pan, _CURVES[p.curve]) for p in track.pan_automation),
        automation=moving_settings(track.automation, track.chain, channels, tempo_bpm),
    )


def bus_spec(bus: pb.RecipeBus, tempo_bpm: float = 0.0, impulse_of: ImpulseOf = no_impulses) -> dsp.BusSpec:
    """Return the strip of a bus."""
    return dsp.BusSpec(
        bus.id,
        gain_db=bus.gain_db,
        pan=bus.pan,
        mute=bus.mute,
        processors=chain(bus.chain, f"buses[{bus.id}].chain", tempo_bpm, impulse_of=impulse_of),
        sends=_sends(bus.sends),
        output_bus=bus.output_bus or dsp.MIX,
        gain_automation=gain_points(bus.gain_automation),
        solo=bus.solo,
        automation=moving_settings(bus.automation, bus.chain, tempo_bpm=tempo_bpm),
    )


def vca_spec(vca: pb.RecipeVca) -> dsp.VcaSpec:
    """Return a fader over faders."""
    return dsp.VcaSpec(vca.id, tuple(vca.members), vca.gain_db, vca.mute, gain_points(vca.gain_automation))


def mix_spec(recipe: pb.MixRecipe, channels: Mapping[str, int], impulse_of: ImpulseOf = no_impulses) -> dsp.MixSpec:
    """Return the core's mix for a resolved, valid recipe.

    Parameters
    ----------
    recipe : MixRecipe
        With every default written out.
    channels : mapping of str to int
        Channels of each track's source.
    impulse_of : callable
        Reads the impulse response that a source names.

    Raises
    ------
    RecipeRefusedError
        A setting is beyond what the core is defined for; names its path.
    """
    return dsp.MixSpec(
        sample_rate=recipe.sample_rate_hz,
        tracks=tuple(track_spec(track, channels[track.id], recipe.tempo_bpm, impulse_of) for track in recipe.tracks),
        buses=tuple(bus_spec(bus, recipe.tempo_bpm, impulse_of) for bus in recipe.buses),
        pan_law_db=PAN_LAWS_DB[recipe.pan_law],
        processors=chain(recipe.mix_chain, "mix_chain", recipe.tempo_bpm, impulse_of=impulse_of),
        gain_db=recipe.mix_gain_db,
        gain_automation=gain_points(recipe.mix_gain_automation),
        automation=moving_settings(recipe.mix_automation, recipe.mix_chain, tempo_bpm=recipe.tempo_bpm),
        vcas=tuple(vca_spec(vca) for vca in recipe.vcas),
        tail_s=recipe.tail_s,
    )
