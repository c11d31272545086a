"""The digest depends on what can be heard, and on nothing else."""

import hashlib
import json
import random
from typing import Any

import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_recipe import dump_recipe, load_mix_recipe, recipe_digest, render_digest, resolved, validate_mix
from tapelog_recipe.codec import encode
from tapelog_recipe.naming import short_names
from tapelog_recipe.parameters import ENUM_DEFAULTS, PARAMETERS

RATE_HZ = 48_000
ENUM_WORDS = {
    (field.name, word): short_names(field.enum_type)
    for message in pb.DESCRIPTOR.message_types_by_name.values()
    for field in message.fields
    if field.enum_type is not None
    for word in short_names(field.enum_type)
}
"""The words that a field may hold, by the field's name and one of them."""


@st.composite
def numbers(draw: st.DrawFn, message: str, field: str) -> float:
    """Draw an allowed value of a parameter, on the grid of a thousandth."""
    entry = PARAMETERS[message][field]
    if entry.choices:
        return draw(st.sampled_from(entry.choices))
    low, high = entry.low, entry.highest(RATE_HZ)
    return draw(st.integers(round(low * 1000) + 1, round(high * 1000))) / 1000


def _free(message: str) -> dict[str, st.SearchStrategy[float]]:
    """Return what draws the numbers of a message that have a default."""
    return {name: numbers(message, name) for name, entry in PARAMETERS[message].items() if entry.default is not None}


@st.composite
def inserts(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an insert with some of its fields written."""
    kind = draw(st.sampled_from(list(pb.Processor.DESCRIPTOR.oneofs_by_name["kind"].fields)))
    message = kind.message_type.name
    if message == "Equalizer":
        band = st.fixed_dictionaries(
            {"frequency_hz": numbers("EqBand", "frequency_hz")},
            optional={"gain_db": numbers("EqBand", "gain_db"), "shape": st.sampled_from(["bell", "notch"])},
        )
        return {"eq": {"bands": draw(st.lists(band, min_size=1, max_size=3))}}
    if message == "Multiband":
        bands = draw(st.lists(st.fixed_dictionaries({}, optional=_free("BandDynamics")), min_size=2, max_size=4))
        return {"multiband": {"splits_hz": [200.0, 900.0, 5_000.0][: len(bands) - 1], "bands": bands}}
    fixed = {
        "LinearPhaseEq": {"bands": [{"frequency_hz": 900.0, "gain_db": 1.5}]},
        "ConvolutionReverb": {"impulse": {"file": "hall.wav"}},
        "CurveEq": {"curve": [{"frequency_hz": 90.0, "gain_db": 1.5}, {"frequency_hz": 900.0}]},
    }.get(message, {})
    needed = {name: numbers(message, name) for name, entry in PARAMETERS[message].items() if entry.default is None}
    settings = {**fixed, **draw(st.fixed_dictionaries(needed, optional=_free(message)))}
    settings.pop("beats", None)  # counts in a tempo that these recipes do not have
    return {kind.name: settings, "bypass": draw(st.booleans())}


def tracks(index: int) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a track."""
    return st.fixed_dictionaries(
        {"id": st.just(f"t{index}"), "source": st.just({"file": f"{index}.wav"})},
        optional={
            "gain_db": numbers("RecipeTrack", "gain_db"),
            "pan": numbers("RecipeTrack", "pan"),
            "mute": st.booleans(),
            "start_frame": st.integers(0, 10**6),
            "chain": st.lists(inserts(), max_size=3),
            "tags": st.lists(st.sampled_from(["lead", "vocal", "drums"]), unique=True),
        },
    )


mixes = st.fixed_dictionaries(
    {"sample_rate_hz": st.just(RATE_HZ), "tracks": st.tuples(tracks(0), tracks(1)).map(list)},
    optional={
        "pan_law": st.sampled_from(["minus-3-db", "minus-6-db", "0-db"]),
        "mix_gain_db": numbers("MixRecipe", "mix_gain_db"),
        "mix_chain": st.lists(inserts(), max_size=2),
    },
)


def _shuffled(plain: Any, rng: random.Random) -> Any:
    if isinstance(plain, dict):
        keys = list(plain)
        rng.shuffle(keys)
        return {key: _shuffled(plain[key], rng) for key in keys}
    return [_shuffled(item, rng) for item in plain] if isinstance(plain, list) else plain


def _digest(plain: dict[str, Any]) -> str:
    return recipe_digest(load_mix_recipe(json.dumps(plain), "json"))


@given(mixes)
def test_generated_mixes_are_valid(plain: dict[str, Any]):
    """The properties below speak of recipes that can be rendered."""
    assert validate_mix(load_mix_recipe(json.dumps(plain), "json"), services=False) == ()


@given(mixes, st.randoms(use_true_random=False))
def test_order_of_fields_and_notation_do_not_matter(plain: dict[str, Any], rng: random.Random):
    """Shuffled fields, YAML or JSON, and a round trip through the writer give one digest."""
    expected = _digest(plain)
    other = _shuffled(plain, rng)
    assert _digest(other) == expected
    assert recipe_digest(load_mix_recipe(yaml.safe_dump(other), "yaml")) == expected
    assert recipe_digest(load_mix_recipe(dump_recipe(load_mix_recipe(json.dumps(plain), "json")), "yaml")) == expected


@given(mixes)
def test_a_default_written_is_a_default_omitted(plain: dict[str, Any]):
    """Resolving writes every default out; the digest stays, and resolving twice changes nothing."""
    recipe = load_mix_recipe(json.dumps(plain), "json")
    whole = resolved(recipe)
    assert recipe_digest(whole) == recipe_digest(recipe)
    assert resolved(whole) == whole
    for law in ENUM_DEFAULTS:
        assert ENUM_DEFAULTS[law] != 0


@given(st.integers(-96_000_000, 24_000_000))
def test_the_spelling_of_a_number_does_not_matter(micro_db: int):
    """1.5, 1.50, 15e-1 and a computed 1.5000000000000002 are one gain."""
    spelt = [f"{micro_db / 1e6:.6f}", f"{micro_db / 1e6!r}", f"{micro_db}e-6", f"{micro_db / 1e6:.6f}000"]
    computed = (micro_db / 1e6) / 3 * 3
    text = "{{sample_rate_hz: 48000, mix_gain_db: {}, tracks: [{{id: a, source: 'file:a.wav'}}]}}"
    digests = {recipe_digest(load_mix_recipe(text.format(number))) for number in [*spelt, repr(computed)]}
    assert len(digests) == 1


def _leaves(message: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the place of every written scalar of plain values."""
    if isinstance(message, dict):
        return [leaf for key, value in message.items() for leaf in _leaves(value, (*path, key))]
    if isinstance(message, list):
        return [leaf for key, value in enumerate(message) for leaf in _leaves(value, (*path, key))]
    return [path]


@given(mixes, st.data())
def test_any_change_that_can_be_heard_changes_the_digest(plain: dict[str, Any], data: st.DataObject):
    """Any one number, switch or word changed by the smallest step there is gives another digest."""
    whole = encode(resolved(load_mix_recipe(json.dumps(plain), "json")))
    place = data.draw(st.sampled_from(_leaves(whole)))
    changed = json.loads(json.dumps(whole))
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    value = holder[place[-1]]
    if isinstance(value, bool):
        holder[place[-1]] = not value
    elif isinstance(value, int | float):
        field_is_whole = place[-1] in {"sample_rate_hz", "start_frame", "slope_db_oct", "frame"}
        holder[place[-1]] = value + (1 if field_is_whole else 1e-6)
    elif (place[-1], value) in ENUM_WORDS:
        holder[place[-1]] = next(word for word in ENUM_WORDS[place[-1], value] if word != value)
    else:
        assume("tags" not in place)
        holder[place[-1]] = value + "x"
    assert _digest(changed) != _digest(whole)


@given(mixes)
def test_order_of_tracks_is_part_of_the_recipe(plain: dict[str, Any]):
    """Tracks are summed in their order, which decides the last bit."""
    swapped = {**plain, "tracks": plain["tracks"][::-1]}
    assert _digest(swapped) != _digest(plain)


def test_the_canonical_form_is_pinned():
    """The form is a promise: these digests may never change, or every approval would lose its recipe."""
    text = """
sample_rate_hz: 48000
tracks:
  - {id: a, source: "file:a.wav", gain_db: -1.5, chain: [{width: {}}, {compressor: {threshold_db: -20}}]}
"""
    form = (
        '{"form":"tapelog.recipe/1","message":"MixRecipe","value":{"sample_rate_hz":48000,"tracks":[{"chain":'
        '[{"width":{}},{"compressor":{"threshold_db":-20000000}}],"gain_db":-1500000,"id":"a","source":{"file":"a.wav"}}]}}'
    )
    digest = recipe_digest(load_mix_recipe(text))
    assert digest == hashlib.sha256(form.encode()).hexdigest()
    render = f'{{"engine":"tapelog-dsp/1","form":"tapelog.recipe/1","outputs":[{{}}],"recipe":"{digest}"}}'
    assert render_digest(digest, "tapelog-dsp/1", [pb.OutputFormat()]) == hashlib.sha256(render.encode()).hexdigest()


def test_the_render_digest_has_engine_and_outputs():
    """Another engine or another file format is another render; a default written out is not."""
    digest = "0" * 64
    plain = render_digest(digest, "e/1", [pb.OutputFormat()])
    assert render_digest(digest, "e/1", [pb.OutputFormat(container=pb.CONTAINER_WAV, bit_depth=24)]) == plain
    others = {
        render_digest(digest, "e/2", [pb.OutputFormat()]),
        render_digest(digest, "e/1", [pb.OutputFormat(bit_depth=16)]),
        render_digest(digest, "e/1", [pb.OutputFormat(container=pb.CONTAINER_FLAC)]),
        render_digest("1" * 64, "e/1", [pb.OutputFormat()]),
        render_digest(digest, "e/1", []),
    }
    assert len(others | {plain}) == 6


def test_outputs_are_no_part_of_a_masters_recipe_digest():
    """The creative recipe does not change with the files that are made of it."""
    master = pb.MasterRecipe(source=pb.RecipeSource(file="mix.wav"), target=pb.MasterTarget(name="streaming"))
    with_outputs = pb.MasterRecipe()
    with_outputs.CopyFrom(master)
    with_outputs.outputs.add(bit_depth=16)
    assert recipe_digest(with_outputs) == recipe_digest(master)
    with_outputs.target.tolerance_lu = 0.2
    assert recipe_digest(with_outputs) == recipe_digest(master)
    with_outputs.target.integrated_lufs = -14
    assert recipe_digest(with_outputs) != recipe_digest(master)
