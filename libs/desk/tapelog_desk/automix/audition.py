"""Listening to a recipe: rendered once, with every track measured as it stands in the mix."""

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_recipe import Violation, resolved

from tapelog_desk.analysis import Progress
from tapelog_desk.automix.bands import LOW_BANDS, BandMeter, Floats
from tapelog_desk.automix.levels import Loudness
from tapelog_desk.automix.polarity import PairMeter
from tapelog_desk.console import mix_spec
from tapelog_desk.errors import RecipeRefusedError
from tapelog_desk.files.streams import BlockReader
from tapelog_desk.impulses import impulses
from tapelog_desk.mixdown import at_rate, open_source
from tapelog_desk.sources import Resolve


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A signal as it was measured.

    Attributes
    ----------
    loudness : Loudness
        Gated and over time.
    bands : ndarray [shape=(windows, BANDS)]
        Power over time, mean of left and right; empty where it was not asked for.
    balance_db, low_side_db, width_db : float
        Left against right; side against mid in the bass and over all.
    """

    loudness: Loudness
    bands: Floats
    balance_db: float
    low_side_db: float
    width_db: float


@dataclass(frozen=True, slots=True, eq=False)
class Audition:
    """What was heard.

    Attributes
    ----------
    mix : Measurement
        Loudness and true peak of the whole.
    picture : Picture
        The whole mix's.
    tracks : dict of str to Picture
        Each track after its fader and pan; sends left out.
    opposed : list of tuple
        Pairs of tracks with their correlation.
    """

    mix: dsp.Measurement
    picture: Picture
    tracks: dict[str, Picture]
    opposed: list[tuple[str, str, float]]


class _Listener:
    """Measures one stereo signal."""

    def __init__(self, sample_rate_hz: int, *, with_bands: bool) -> None:
        self._meter = dsp.LoudnessMeter(sample_rate_hz, 2)
        self._bands = BandMeter(sample_rate_hz, 2) if with_bands else None

    def add(self, block: Floats) -> None:
        self._meter.add(block)
        if self._bands is not None:
            for _ in self._bands.add(block):
                pass

    def result(self) -> Picture:
        read = self._meter.result()
        loudness = Loudness(read.integrated_lufs, read.momentary_lufs)
        if self._bands is None:
            return Picture(loudness, BandMeter(48_000, 2).bands(), 0.0, 0.0, 0.0)
        for _ in self._bands.flush():
            pass
        bands = self._bands
        return Picture(loudness, bands.bands(), bands.balance_db(), bands.width_db(slice(LOW_BANDS)), bands.width_db())


def audition(
    recipe: pb.MixRecipe,
    resolve: Resolve,
    *,
    with_bands: bool = False,
    pairs: Collection[tuple[str, str]] = (),
    progress: Progress | None = None,
) -> Audition:
    """Render a recipe and measure the mix and each of its tracks; nothing is written.

    Parameters
    ----------
    recipe : MixRecipe
        Valid, without mutes.
    resolve : callable
        Finds the file of a source.
    with_bands : bool
        Whether spectra are taken too.
    pairs : collection of tuple of str
        Tracks whose polarity is compared.
    progress : callable, optional
        Told the share that is done.

    Raises
    ------
    SourceError, RecipeRefusedError
        A source cannot be used; a setting is beyond the core.
    """
    whole = resolved(recipe)
    rate = whole.sample_rate_hz
    ids = [track.id for track in whole.tracks]
    listeners = {name: _Listener(rate, with_bands=with_bands) for name in ids}
    mix, meter = _Listener(rate, with_bands=with_bands), dsp.Meter(rate, 2)
    compared = PairMeter(pairs)
    for block in _blocks(whole, resolve, ids, progress):
        meter.add(block.mix)
        mix.add(block.mix)
        for name in ids:
            listeners[name].add(block.taps[name])
        compared.add(block.taps)
    pictures = {name: listener.result() for name, listener in listeners.items()}
    return Audition(meter.result(), mix.result(), pictures, compared.result())


def _blocks(
    recipe: pb.MixRecipe, resolve: Resolve, taps: list[str], progress: Progress | None
) -> Iterator[dsp.MixBlock]:
    with ExitStack() as files:
        readers: dict[str, BlockReader] = {}
        channels: dict[str, int] = {}
        length = 1
        for track in recipe.tracks:
            reader = files.enter_context(open_source(resolve(track.source), f"track {track.id}"))
            channels[track.id] = reader.format.channels
            length = max(length, reader.declared_frames * recipe.sample_rate_hz // reader.format.sample_rate_hz)
            readers[track.id] = at_rate(reader, recipe.sample_rate_hz)
        try:
            graph = dsp.MixGraph(mix_spec(recipe, channels, impulses(resolve)), taps=tuple(taps))
        except dsp.DspError as error:
            raise RecipeRefusedError([Violation("", str(error))]) from error
        for block in dsp.render(graph, readers):
            yield block
            if progress is not None:
                progress(min((block.start_frame + block.mix.shape[1]) / length, 1.0))
