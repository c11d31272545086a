"""The session of the workloads as recipes, for the product's own commands: the same numbers as in `session`."""

from pathlib import Path
from typing import Any

import session
import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_recipe import load_master_recipe, load_mix_recipe

SHAPES = {dsp.LowShelf: "low-shelf", dsp.HighShelf: "high-shelf", dsp.Bell: "bell"}


def _text(value: Any) -> str:
    """Return plain values as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_text(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return str(value)


def _eq(eq: dsp.ParametricEq) -> list[dict[str, Any]]:
    """Return an equaliser as inserts: its high-pass stands alone."""
    inserts: list[dict[str, Any]] = []
    bands = []
    for band in eq.bands:
        if isinstance(band, dsp.HighPass):
            inserts.append({"high_pass": {"frequency_hz": band.cutoff_hz}})
            continue
        entry: dict[str, Any] = {"frequency_hz": band.frequency_hz, "gain_db": band.gain_db}
        entry["shape"] = SHAPES[type(band)]
        if isinstance(band, dsp.Bell):
            entry["q"] = band.q
        bands.append(entry)
    return [*inserts, {"eq": {"bands": bands}}]


def _track(spec: dsp.TrackSpec, index: int) -> dict[str, Any]:
    high_pass, eq, compressor = spec.processors
    assert isinstance(high_pass, dsp.HighPass)
    assert isinstance(eq, dsp.ParametricEq)
    assert isinstance(compressor, dsp.Compressor)
    names = ("threshold_db", "ratio", "attack_ms", "release_ms", "knee_db", "makeup_db")
    return {
        "id": spec.id,
        "source": f"file:t{index % 32:03d}.wav",
        "output_bus": spec.output_bus,
        "gain_db": spec.gain_db,
        "pan": spec.pan,
        "chain": [
            {"high_pass": {"frequency_hz": high_pass.cutoff_hz}},
            *_eq(eq),
            {"compressor": {name: getattr(compressor, name) for name in names}},
        ],
        "sends": [{"bus": send.bus, "gain_db": send.gain_db} for send in spec.sends],
        "gain_automation": [{"frame": point.frame, "gain_db": point.gain_db} for point in spec.gain_automation],
    }


def mix(tracks: int, seconds: int) -> pb.MixRecipe:
    """Return the session's mix; its sources are the stems' files."""
    buses = [{"id": f"bus{k}", "gain_db": gain} for k, gain in enumerate((0.0, -1.0, -0.5, -1.5))]
    plate = {"reverb": {"decay_s": 1.5, "mix": 1.0}}
    recipe = {
        "sample_rate_hz": session.RATE,
        "tracks": [_track(session.track(i, seconds), i) for i in range(tracks)],
        "buses": [*buses, {"id": "reverb", "gain_db": -9.6, "chain": [plate]}],
    }
    return load_mix_recipe(_text(recipe))


def master(source: Path) -> pb.MasterRecipe:
    """Return the session's master of a mix."""
    bands = [
        {
            "threshold_db": threshold, "ratio": ratio, "attack_ms": attack, "release_ms": release, "knee_db": 6,
            "gain_db": 1,
        }
        for threshold, ratio, attack, release in session.BANDS
    ]  # fmt: skip
    eq = session.master().processors[0]
    assert isinstance(eq, dsp.ParametricEq)
    recipe = {
        "source": f"file:{source.name}",
        "chain": [*_eq(eq), {"multiband": {"splits_hz": list(session.CROSSOVERS_HZ), "bands": bands}}],
        "target": {"integrated_lufs": session.TARGET_LUFS, "ceiling_dbtp": session.CEILING_DBTP},
        "outputs": [{"container": "wav", "bit_depth": 24}],
    }
    return load_master_recipe(_text(recipe))
