"""A process that mixes and masters, and prints the most memory it ever had: ``python render_child.py FOLDER``."""

import json
import sys
from pathlib import Path

from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk import beside, render_master, render_mix
from tapelog_recipe import load_mix_recipe

TRACKS = 8


def _recipe() -> pb.MixRecipe:
    track = """
  - id: t{index}
    source: file:source.wav
    gain_db: -12
    pan: {pan}
    start_frame: {start}
    chain:
      - high_pass: {{frequency_hz: 80}}
      - eq: {{bands: [{{frequency_hz: 400, gain_db: -2}}, {{shape: high-shelf, frequency_hz: 8000, gain_db: 2}}]}}
      - compressor: {{threshold_db: -24, ratio: 3}}
    sends: [{{bus: plate, gain_db: -15}}]
    output_bus: group
"""
    tracks = "".join(track.format(index=index, pan=index / 4 - 1, start=index * 777) for index in range(TRACKS))
    buses = (
        "buses:\n  - {id: group, chain: [{compressor: {threshold_db: -18}}]}\n  - {id: plate, chain: [{reverb: {}}]}\n"
    )
    return load_mix_recipe(f"sample_rate_hz: 48000\ntail_s: 2\ntracks:{tracks}{buses}")


def _peak_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def main() -> None:
    """Mix, master, print a line of JSON."""
    folder = Path(sys.argv[1])
    outputs = [pb.OutputFormat(bit_depth=24)]
    mix = render_mix(_recipe(), beside(folder), outputs, folder)
    mix_kib = _peak_kib()
    master = pb.MasterRecipe(source=pb.RecipeSource(file="mix.wav"), target=pb.MasterTarget(name="streaming"))
    render_master(master, beside(folder), folder, best_effort=True)
    frames = mix.analysis.measurements.length_frames
    print(json.dumps({"mix_kib": mix_kib, "both_kib": _peak_kib(), "frames": frames, "mix_s": mix.timings_s}))  # noqa: T201


if __name__ == "__main__":
    main()
