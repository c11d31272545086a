"""Ranges, sizes, references: every violation at once with value and limit."""

import math
from collections.abc import Callable

import pytest
from google.protobuf.json_format import ParseDict
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_recipe import RecipeError, load_master_recipe, load_mix_recipe, validate_master, validate_mix
from tapelog_recipe.limits import GAIN_POINTS_MAX

SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def mix(**fields: object) -> pb.MixRecipe:
    """Return a small valid mix with some fields replaced."""
    recipe = pb.MixRecipe(
        sample_rate_hz=48_000,
        tracks=[
            pb.RecipeTrack(id="kick", source=pb.RecipeSource(asset_sha256=SHA), output_bus="drums"),
            pb.RecipeTrack(
                id="lead", source=pb.RecipeSource(asset_sha256=SHA), sends=[pb.RecipeSend(bus="plate", gain_db=-14)]
            ),
        ],
        buses=[pb.RecipeBus(id="drums"), pb.RecipeBus(id="plate", chain=[pb.Processor(reverb=pb.Reverb())])],
    )
    for name, value in fields.items():
        setattr(recipe, name, value)
    return recipe


def paths(recipe: pb.MixRecipe, *, services: bool = True) -> list[str]:
    """Return the paths of all violations."""
    return [violation.path for violation in validate_mix(recipe, services=services)]


def test_a_valid_mix_has_no_violations():
    """Nothing is found where nothing is wrong."""
    assert validate_mix(mix(), services=True) == ()


def test_the_message_names_value_range_and_unit():
    """A person can mend the recipe from the message alone."""
    recipe = mix(mix_gain_db=30.5)
    assert [str(violation) for violation in validate_mix(recipe, services=True)] == [
        "mix_gain_db: must be -96 to 24 dB, got 30.5"
    ]


def _with_insert(processor: pb.Processor) -> Callable[[pb.MixRecipe], None]:
    return lambda recipe: recipe.tracks[1].chain.append(processor)


def _track(index: int, **fields: object) -> Callable[[pb.MixRecipe], None]:
    def change(recipe: pb.MixRecipe) -> None:
        for name, value in fields.items():
            setattr(recipe.tracks[index], name, value)

    return change


def _send(bus: str, into: str) -> Callable[[pb.MixRecipe], None]:
    def change(recipe: pb.MixRecipe) -> None:
        next(entry for entry in recipe.buses if entry.id == bus).output_bus = into

    return change


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        (_with_insert(pb.Processor()), "tracks[lead].chain[0]", "no kind of insert"),
        (_with_insert(pb.Processor(high_pass=pb.HighPass())), "tracks[lead].chain[0].high_pass.frequency_hz", "to be"),
        (
            _with_insert(pb.Processor(high_pass=pb.HighPass(frequency_hz=21_601))),
            "tracks[lead].chain[0].high_pass.frequency_hz",
            "10 to 21600 Hz, got 21601",
        ),
        (
            _with_insert(pb.Processor(high_pass=pb.HighPass(frequency_hz=80, slope_db_oct=20))),
            "tracks[lead].chain[0].high_pass.slope_db_oct",
            "one of 6, 12, 18, 24, 30, 36, 42, 48, got 20",
        ),
        (
            _with_insert(pb.Processor(delay=pb.Delay(time_ms=100, feedback=1.2, low_pass_hz=5))),
            "tracks[lead].chain[0].delay.feedback",
            "0 to 0.95, got 1.2",
        ),
        (
            _with_insert(pb.Processor(delay=pb.Delay(time_ms=100, low_pass_hz=5))),
            "tracks[lead].chain[0].delay.low_pass_hz",
            "0 (off) or 10 to 20000 Hz",
        ),
        (_with_insert(pb.Processor(compressor=pb.Compressor(ratio=math.nan))), "tracks[lead].chain[0].compressor.ratio",
         "got nan"),
        (_with_insert(pb.Processor(eq=pb.Equalizer())), "tracks[lead].chain[0].eq.bands", "1 to 16 entries, got 0"),
        (
            _with_insert(pb.Processor(eq=pb.Equalizer(bands=[pb.EqBand(shape=2, frequency_hz=100, q=2)]))),
            "tracks[lead].chain[0].eq.bands[0].q",
            "Butterworth",
        ),
        (
            _with_insert(pb.Processor(eq=pb.Equalizer(bands=[pb.EqBand(shape=99, frequency_hz=100)]))),
            "tracks[lead].chain[0].eq.bands[0].shape",
            "99 is not a value",
        ),
        (_track(1, id="drums"), "buses[drums].id", "already the id of tracks[drums]"),
        (_track(1, id="Lead"), "tracks[1].id", "lower case"),
        (_track(1, output_bus="drumz"), "tracks[lead].output_bus", "did you mean 'drums'"),
        (_track(1, start_frame=-1), "tracks[lead].start_frame", "got -1"),
        (_track(1, pan=-1.5), "tracks[lead].pan", "-1 to 1, got -1.5"),
        (lambda recipe: recipe.tracks[0].sends.add(bus="nowhere"), "tracks[kick].sends[0].bus", "no bus 'nowhere'"),
        (lambda recipe: recipe.tracks[0].printed_effects.append("echo"), "tracks[kick].printed_effects[0]", "a kind"),
        (lambda recipe: recipe.tracks[0].tags.append("Big Drums"), "tracks[kick].tags[0]", "lower case"),
        (lambda recipe: recipe.tracks[0].ClearField("source"), "tracks[kick].source", "no source"),
        (lambda recipe: recipe.tracks[0].source.ClearField("asset_sha256"), "tracks[kick].source", "write 'file:NAME'"),
        (lambda recipe: setattr(recipe.tracks[0].source, "asset_sha256", "XYZ"),
         "tracks[kick].source.asset_sha256", "64 lower-case"),
        (lambda recipe: setattr(recipe.tracks[0].source, "file", "kick.wav"), "tracks[kick].source.file", "upload"),
        (_with_insert(pb.Processor(convolution=pb.ConvolutionReverb())),
         "tracks[lead].chain[0].convolution.impulse", "has no source"),
        (_with_insert(pb.Processor(convolution=pb.ConvolutionReverb(impulse=pb.RecipeSource(file="room.wav")))),
         "tracks[lead].chain[0].convolution.impulse.file", "upload"),
        (_send("drums", "drums"), "buses[drums]", "loop: drums"),
        (lambda recipe: recipe.tracks[0].gain_automation.extend([pb.GainPoint(frame=5), pb.GainPoint(frame=5)]),
         "tracks[kick].gain_automation[1].frame", "after the point before it (5), got 5"),
        (lambda recipe: recipe.ClearField("tracks"), "tracks", "1 to 256 entries, got 0"),
    ],
)  # fmt: skip
def test_each_violation_is_found(change: Callable[[pb.MixRecipe], None], path: str, words: str):
    """What is wrong is found at its path, in words that say what to do."""
    recipe = mix()
    change(recipe)
    found = {violation.path: violation.message for violation in validate_mix(recipe, services=True)}
    hit = [message for where, message in found.items() if where.startswith(path)]
    assert hit, found
    assert any(words in message for message in hit), hit


def test_loops_over_two_buses_and_sends_are_found():
    """A bus that feeds another by its output and is fed back by a send is a loop."""
    recipe = mix()
    recipe.buses[0].output_bus = "plate"
    recipe.buses[1].sends.add(bus="drums", gain_db=-20)
    assert [str(violation) for violation in validate_mix(recipe, services=True)] == [
        "buses[drums]: buses feed one another in a loop: drums, plate; cut one of their sends"
    ]


def test_a_chain_of_buses_is_no_loop():
    """Buses may feed buses."""
    recipe = mix()
    recipe.buses[0].output_bus = "plate"
    assert paths(recipe) == []


def test_all_violations_come_at_once():
    """Nothing hides behind the first mistake."""
    recipe = mix(mix_gain_db=99, tail_s=-1)
    recipe.tracks[0].gain_db = -100
    recipe.tracks[1].sends[0].bus = "x"
    assert len(paths(recipe)) == 4


def test_files_are_for_the_desk():
    """The desk takes files, the services do not."""
    recipe = mix()
    recipe.tracks[0].source.file = "stems/kick.flac"
    assert paths(recipe, services=False) == []
    assert paths(recipe, services=True) == ["tracks[kick].source.file"]


def test_a_recipe_that_does_not_fit_into_an_event_is_refused():
    """Automation within the limit per track may still be too much for one message."""
    recipe = mix()
    for track in recipe.tracks:
        track.gain_automation.extend(pb.GainPoint(frame=frame * 480, gain_db=-1.5) for frame in range(GAIN_POINTS_MAX))
    assert paths(recipe) == [""]


def test_master_recipes():
    """A master needs a source and a target, published or written out; FLAC has no 32 bits."""
    text = "source: {asset_sha256: %s}\n" % SHA  # noqa: UP031  # braces of YAML
    assert validate_master(load_master_recipe(text + "target: {name: streaming}"), services=True) == ()
    assert (
        validate_master(load_master_recipe(text + "target: {integrated_lufs: -9, ceiling_dbtp: -1}"), services=True)
        == ()
    )
    broken = load_master_recipe(
        "target: {integrated_lufs: -3}\nsample_rate_hz: 100\n"
        "outputs: [{container: flac, bit_depth: 32}, {bit_depth: 20}]"
    )
    assert sorted(violation.path for violation in validate_master(broken, services=False)) == [
        "outputs[0].bit_depth",
        "outputs[1].bit_depth",
        "sample_rate_hz",
        "source",
        "target.ceiling_dbtp",
        "target.integrated_lufs",
    ]


def test_the_error_shows_a_bounded_number_of_lines():
    """A thousand violations do not make a thousand lines, but are all there."""
    text = "tracks:\n" + "".join(f"  - {{id: t{index}, x{index}: 1}}\n" for index in range(30))
    with pytest.raises(RecipeError) as caught:
        load_mix_recipe(text)
    assert len(caught.value.violations) == 30
    assert str(caught.value).endswith("... and 10 more")


@pytest.mark.parametrize(
    ("insert", "words"),
    [
        ({"multiband": {"splits_hz": [200.0], "bands": [{}, {}, {}]}}, "one fewer"),
        ({"multiband": {"splits_hz": [200.0, 250.0], "bands": [{}, {}, {}]}}, "300"),
        ({"multiband": {"splits_hz": [200.0], "bands": [{}, {"ratio": 0.5}]}}, "ratio"),
        ({"curve_eq": {"curve": [{"frequency_hz": 100.0}, {"frequency_hz": 50.0}]}}, "above the point"),
        ({"curve_eq": {"curve": [{"frequency_hz": 100.0}]}}, "2 to 512"),
        ({"linear_phase_eq": {"bands": []}}, "1 to 16"),
    ],
    ids=["splits", "close", "ratio", "falling", "one point", "no band"],
)
def test_mastering_inserts(insert: dict[str, object], words: str):
    """What a mastering insert cannot be is refused with its place and its limit."""
    recipe = ParseDict(
        {"source": {"file": "a.wav"}, "chain": [insert], "target": {"name": "spotify"}}, pb.MasterRecipe()
    )
    (violation, *_) = validate_master(recipe, services=False)
    assert violation.path.startswith("chain[")
    assert words in str(violation)


@pytest.mark.parametrize(
    ("moving", "words"),
    [
        ({"position": 0, "setting": "bands.0.gain_db", "points": [{"frame": 0, "value": 30.0}]}, "-24 to 24 dB"),
        ({"position": 1, "setting": "splits_hz", "points": [{"frame": 0, "value": 300.0}]}, "cannot move"),
        ({"position": 2, "setting": "bands.0.gain_db", "points": [{"frame": 0, "value": 1.0}]}, "cannot move"),
        ({"position": 3, "setting": "width", "points": [{"frame": 0, "value": 1.0}]}, "0 to 2"),
        (
            {"position": 0, "setting": "bands.0.q", "points": [{"frame": 9, "value": 1}, {"frame": 9, "value": 2}]},
            "after",
        ),
    ],
    ids=["range", "crossover", "linear phase", "place", "order"],
)
def test_what_cannot_move_on_a_master(moving: dict[str, object], words: str):
    """Bands, band dynamics and the drive move; crossovers and the taps of a linear-phase equaliser do not."""
    chain = [
        {"eq": {"bands": [{"frequency_hz": 200.0}]}},
        {"multiband": {"splits_hz": [200.0], "bands": [{}, {}]}},
        {"linear_phase_eq": {"bands": [{"frequency_hz": 200.0}]}},
    ]
    allowed = [
        {"position": 0, "setting": "bands.0.gain_db", "points": [{"frame": 0, "value": 3.0}]},
        {"position": 1, "setting": "bands.1.threshold_db", "points": [{"frame": 0, "value": -30.0}]},
    ]
    plain = {
        "source": {"file": "a.wav"}, "chain": chain, "target": {"name": "spotify"}, "automation": allowed,
        "drive_automation": [{"frame": 0, "gain_db": 0.0}, {"frame": 48_000, "gain_db": 2.0}],
    }  # fmt: skip
    assert validate_master(ParseDict(plain, pb.MasterRecipe()), services=False) == ()
    (violation, *_) = validate_master(ParseDict({**plain, "automation": [moving]}, pb.MasterRecipe()), services=False)
    assert violation.path.startswith("automation[0].")
    assert words in str(violation)
