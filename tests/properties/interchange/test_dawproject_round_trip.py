"""What is written as DAWproject opens again with an equal recipe, for the whole declared subset."""

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_interchange import Archive, AudioFacts, Marker, assemble, read_dawproject, write_dawproject
from tapelog_recipe import load_mix_recipe, recipe_digest, validate_mix
from tapelog_recipe.naming import short_names
from tapelog_recipe.parameters import PARAMETERS

RATE_HZ = 48_000
WORDS = {"de_esser", "delay", "reverb", "width", "transient_shaper", "saturation", "mono_maker", "room", "exciter"}


def _number(message: str, field: str) -> st.SearchStrategy[float]:
    entry = PARAMETERS[message][field]
    if entry.choices:
        return st.sampled_from(entry.choices)
    low, high = round(entry.low * 1000) + 1, round(entry.highest(RATE_HZ) * 1000)
    return st.integers(low, high).map(lambda value: value / 1000)


def _settings(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    message = pb.Processor.DESCRIPTOR.fields_by_name[kind].message_type.name
    table = PARAMETERS[message]
    needed = {name: _number(message, name) for name, entry in table.items() if entry.default is None}
    free = {
        name: _number(message, name) for name, entry in table.items() if entry.default is not None and name != "beats"
    }
    return st.fixed_dictionaries(needed, optional=free)


@st.composite
def _inserts(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["high_pass", "low_pass", "eq", "compressor", "gate", *sorted(WORDS)]))
    bypass = draw(st.booleans())
    if kind == "eq":
        shapes = [word for word in short_names(pb.DESCRIPTOR.enum_types_by_name["EqShape"]) if word != "tilt"]
        bands = draw(
            st.lists(
                st.fixed_dictionaries(
                    {"frequency_hz": _number("EqBand", "frequency_hz"), "shape": st.sampled_from(shapes)},
                    optional={"gain_db": _number("EqBand", "gain_db")},
                ),
                min_size=1,
                max_size=3,
            )
        )
        for band in bands:
            if band["shape"] in ("bell", "notch"):
                band["q"] = draw(_number("EqBand", "q"))
        return {"eq": {"bands": bands}, "bypass": bypass}
    return {kind: draw(_settings(kind)), "bypass": bypass}


_fader = st.integers(-96_000, 24_000).map(lambda value: value / 1000)
_frames = st.lists(st.integers(0, 10**8), max_size=4, unique=True).map(sorted)


@st.composite
def _moves(draw: st.DrawFn, fader_db: float) -> list[dict[str, Any]]:
    """Draw fader automation whose sum with the fader stays in range."""
    curve = st.sampled_from(["linear", "hold"])
    return [
        {"frame": frame, "gain_db": draw(st.integers(-96_000, 24_000)) / 1000 - fader_db, "curve": draw(curve)}
        for frame in draw(_frames)
    ]


@st.composite
def _strips(draw: st.DrawFn, name: str, *, track: bool) -> dict[str, Any]:
    gain = draw(_fader)
    strip: dict[str, Any] = {
        "id": name, "gain_db": gain, "pan": draw(st.integers(-1000, 1000)) / 1000, "mute": draw(st.booleans()),
        "solo": draw(st.booleans()), "chain": draw(st.lists(_inserts(), max_size=3)),
        "gain_automation": [p for p in draw(_moves(gain)) if -96 <= p["gain_db"] <= 24],
    }  # fmt: skip
    if name != "echo" and draw(st.booleans()):
        strip["sends"] = [{"bus": "echo", "gain_db": draw(_fader), "pre_fader": draw(st.booleans())}]
    if track:
        strip |= {"source": {"file": f"audio/{name}.wav"}, "start_frame": draw(st.integers(0, 10**8)),
                  "output_bus": draw(st.sampled_from(["", "group"])),
                  "tags": draw(st.lists(st.sampled_from(["vocal", "lead", "drums"]), unique=True)),
                  "pan_automation": [{"frame": frame, "pan": draw(st.integers(-1000, 1000)) / 1000}
                                     for frame in draw(_frames)]}  # fmt: skip
    return strip


@st.composite
def _recipes(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "sample_rate_hz": RATE_HZ,
        "tempo_bpm": draw(st.sampled_from([0, 92.5, 174])),
        "tracks": [draw(_strips("lead-vox", track=True)), draw(_strips("kick", track=True))],
        "buses": [draw(_strips("group", track=False)), draw(_strips("echo", track=False))],
        "mix_chain": draw(st.lists(_inserts(), max_size=2)),
        "mix_gain_db": draw(_fader),
    }


def _there_and_back(recipe: pb.MixRecipe, path: Path) -> pb.MixRecipe:
    path.with_suffix(".wav").write_bytes(b"RIFF")
    facts = AudioFacts(path.with_suffix(".wav"), RATE_HZ, 1, 480_000)
    write_dawproject(path, recipe, lambda _: facts, version="1", markers=[Marker(1.5, "louder here")])
    with Archive(path) as archive:
        session = read_dawproject(archive)
    assert session.markers == [Marker(1.5, "louder here")]
    imported = assemble(session)
    assert [loss for loss in imported.losses if "parameter" not in loss.what] == []
    assert imported.cuts == ()
    return imported.recipe


@given(_recipes())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_a_recipe_travels_whole(tmp_path_factory: Any, plain: dict[str, Any]):
    """Faders, pans, sends, buses, filters, EQ, dynamics, our own inserts and automation come back to the millionth."""
    recipe = load_mix_recipe(json.dumps(plain), "json")
    assert validate_mix(recipe, services=False) == ()
    back = _there_and_back(recipe, tmp_path_factory.mktemp("daw") / "a.dawproject")
    assert recipe_digest(back) == recipe_digest(recipe)


def test_automated_settings_travel(tmp_path: Path):
    """Times, frequencies and thresholds of inserts that move come back on their frame with their value."""
    recipe = load_mix_recipe(json.dumps({
        "sample_rate_hz": RATE_HZ,
        "tracks": [{
            "id": "lead", "source": {"file": "audio/lead.wav"},
            "chain": [{"eq": {"bands": [{"frequency_hz": 900, "gain_db": 1, "q": 2}]}},
                      {"compressor": {"threshold_db": -20, "attack_ms": 12, "release_ms": 90}}],
            "automation": [
                {"position": 0, "setting": "bands.0.gain_db",
                 "points": [{"frame": 0, "value": 0}, {"frame": 4801, "value": 4.25}]},
                {"position": 1, "setting": "attack_ms",
                 "points": [{"frame": 7, "value": 3.3, "curve": "hold"}, {"frame": 8, "value": 30}]},
                {"position": 1, "setting": "threshold_db", "points": [{"frame": 0, "value": -30}]},
            ],
        }],
    }), "json")  # fmt: skip
    assert validate_mix(recipe, services=False) == ()
    assert recipe_digest(_there_and_back(recipe, tmp_path / "a.dawproject")) == recipe_digest(recipe)
