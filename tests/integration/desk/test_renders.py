"""Mix and master of real audio: equal bytes, equal samples, judged by independent meters and readers."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile
import soxr
import tapelog_dsp as dsp
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_desk import (
    OutputError,
    RecipeRefusedError,
    Rendered,
    SourceError,
    TargetError,
    analyze_file,
    beside,
    mix_blocks,
    render_master,
    render_mix,
)
from tapelog_desk.console import mix_spec
from tapelog_desk.files.readers import open_audio
from tapelog_desk.sources import pinned
from tapelog_recipe import apply_alternate, load_alternate, load_mix_recipe, recipe_digest, resolved

PYLOUDNORM_ERROR_LU = 0.05
"""Its K-weighting is 0.043 dB off at 48 kHz."""


def test_the_files_of_one_depth_hold_the_same_samples(mix: Rendered):
    """WAV and FLAC of a depth have one sample digest, which is that of what libsndfile reads from them."""
    by_depth: dict[int, set[str]] = {}
    for audio in mix.audio:
        bits = audio.result.format.bit_depth
        by_depth.setdefault(bits, set()).add(audio.result.sample_digest)
        assert hashlib.sha256(audio.path.read_bytes()).hexdigest() == audio.result.sha256
        if bits == 32:
            raw = soundfile.read(audio.path, dtype="float32", always_2d=True)[0].tobytes()
        elif bits == 16:
            raw = soundfile.read(audio.path, dtype="int16", always_2d=True)[0].tobytes()
        else:
            wide = soundfile.read(audio.path, dtype="int32", always_2d=True)[0]
            raw = wide.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
        assert hashlib.sha256(raw).hexdigest() == audio.result.sample_digest
    assert {bits: len(digests) for bits, digests in by_depth.items()} == {32: 1, 24: 1, 16: 1}


def test_what_is_reported_is_what_the_file_measures(mix: Rendered, master: Rendered):
    """Reading a file back gives the digests and measurements of the render, and what is asked of arrivals only."""
    for audio in (*mix.audio, *master.audio):
        read = analyze_file(audio.path).audio
        for field in ("noise_floor_dbfs", "rms_dbfs", "hum_searched_s", "hum_dbfs", "hum_hz"):
            assert not audio.result.measurements.HasField(field)
            read.measurements.ClearField(field)
        assert read == audio.result


def test_two_mixes_are_byte_identical(song: Path, mix: Rendered, mix_recipe: pb.MixRecipe, tmp_path: Path):
    """Audio and analysis files are the same, bit by bit, with threads that decode ahead too."""
    containers = {"wav": pb.CONTAINER_WAV, "flac": pb.CONTAINER_FLAC}
    formats = [audio.result.format for audio in mix.audio]
    outputs = [pb.OutputFormat(container=containers[form.container], bit_depth=form.bit_depth) for form in formats]
    again = render_mix(mix_recipe, beside(song), outputs, tmp_path, threads=3)
    assert [audio.result for audio in again.audio] == [audio.result for audio in mix.audio]
    assert again.files[0].path.read_bytes() == mix.files[0].path.read_bytes()


def test_two_masters_are_byte_identical(
    mix: Rendered, master: Rendered, master_recipe: pb.MasterRecipe, tmp_path: Path
):
    """Audio and analysis files are the same, bit by bit."""
    again = render_master(master_recipe, beside(mix.audio[0].path.parent), tmp_path)
    assert [audio.result for audio in again.audio] == [audio.result for audio in master.audio]
    assert again.files[0].path.read_bytes() == master.files[0].path.read_bytes()


def test_the_block_size_cannot_be_heard(song: Path, mix: Rendered, mix_recipe: pb.MixRecipe):
    """Another size of the decoder's blocks and of the mix's blocks gives the same samples."""
    whole = resolved(mix_recipe)
    readers = {track.id: open_audio(song / track.source.file) for track in whole.tracks}
    graph = dsp.MixGraph(mix_spec(whole, {name: reader.format.channels for name, reader in readers.items()}))
    digest = hashlib.sha256()
    for block in dsp.render(graph, readers, block_frames=1_234):
        digest.update(np.ascontiguousarray(block.mix.T, dtype="<f4").tobytes())
    for reader in readers.values():
        reader.close()
    assert digest.hexdigest() == mix.audio[0].result.sample_digest


def test_the_master_reaches_its_target_by_an_independent_meter(master: Rendered):
    """The meter of pyloudnorm reads the target within 0.1 LU and its own error; ours within the tolerance."""
    samples, rate = soundfile.read(master.audio[0].path, always_2d=True)
    loudness = pyloudnorm.Meter(rate).integrated_loudness(samples)
    numbers = master.analysis.measurements
    assert abs(numbers.integrated_lufs - -14) <= 0.2
    assert abs(loudness - numbers.integrated_lufs) <= 0.1 + PYLOUDNORM_ERROR_LU
    assert numbers.true_peak_dbtp <= -1.0
    assert master.verdict is not None
    assert master.verdict.reached
    assert 0 < max(master.gain_reduction_db) < 12


def test_the_master_reaches_its_target_by_ffmpeg(master: Rendered):
    """libebur128 in ffmpeg agrees on loudness and true peak."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("ffmpeg is not installed")
    command = [ffmpeg, "-nostats", "-i", str(master.audio[0].path), "-af", "ebur128=peak=true", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr.rsplit("Summary:", 1)[1]
    values = {line.split(":")[0].strip(): line.split(":")[1].split()[0] for line in said.splitlines() if ": " in line}
    numbers = master.analysis.measurements
    assert abs(float(values["I"]) - numbers.integrated_lufs) <= 0.1
    assert float(values["Peak"]) <= -1.0 + 0.1


def test_the_desk_and_the_services_make_the_same_digest(song: Path, mix: Rendered, mix_recipe: pb.MixRecipe):
    """A recipe by file names, pinned, is the recipe by content that the services store."""
    assets = pb.MixRecipe()
    assets.CopyFrom(mix_recipe)
    for track in assets.tracks:
        track.source.asset_sha256 = hashlib.sha256((song / track.source.file).read_bytes()).hexdigest()
    assert recipe_digest(assets) == mix.recipe_digest == recipe_digest(pinned(mix_recipe, beside(song)))


def test_alternates_are_as_long_as_the_mix_and_sum_to_it(song: Path):
    """Without dynamics on the buses, instrumental and a cappella null against the mix to -140 dBFS."""
    recipe = load_mix_recipe((song / "mix-2.yaml").read_text())
    recipe.ClearField("mix_chain")
    for bus in recipe.buses:
        kept = [insert for insert in bus.chain if insert.WhichOneof("kind") != "compressor"]
        del bus.chain[:]
        bus.chain.extend(kept)
    texts = [(song / f"alternates/{name}.yaml").read_text() for name in ("instrumental", "a-cappella")]
    parts = [recipe, *(apply_alternate(recipe, load_alternate(text)) for text in texts)]
    whole, without, alone = (
        np.concatenate([block.mix for block in mix_blocks(resolved(part), beside(song))], axis=1) for part in parts
    )
    assert whole.shape == without.shape == alone.shape
    assert np.abs(whole - without - alone).max() < 10 ** (-120 / 20)


def test_an_unreachable_target_is_an_error_or_the_closest_master(
    mix: Rendered, master_recipe: pb.MasterRecipe, tmp_path: Path
):
    """The error says how far one gets; best effort makes that master and its verdict says so."""
    folder = beside(mix.audio[0].path.parent)
    loud = pb.MasterRecipe()
    loud.CopyFrom(master_recipe)
    loud.target.integrated_lufs = -5
    with pytest.raises(TargetError, match="LUFS") as caught:
        render_master(loud, folder, tmp_path)
    assert caught.value.reason == "TARGET_INFEASIBLE"
    assert list(tmp_path.iterdir()) == []
    closest = render_master(loud, folder, tmp_path, best_effort=True)
    assert closest.verdict is not None
    assert not closest.verdict.reached
    assert closest.verdict.limit
    assert closest.analysis.measurements.true_peak_dbtp <= -1.0


def test_an_unknown_target_lists_the_known_ones(mix: Rendered, master_recipe: pb.MasterRecipe, tmp_path: Path):
    """A slip in a name is answered with the names."""
    wrong = pb.MasterRecipe()
    wrong.CopyFrom(master_recipe)
    wrong.target.name = "streeming"
    with pytest.raises(TargetError, match=r"use one of .*streaming"):
        render_master(wrong, beside(mix.audio[0].path.parent), tmp_path)


def test_a_target_written_out_needs_no_name(mix: Rendered, master_recipe: pb.MasterRecipe, tmp_path: Path):
    """-20 LUFS at -3 dBTP, resampled to 44.1 kHz and printed at 16 bits."""
    own = pb.MasterRecipe(source=master_recipe.source, sample_rate_hz=44_100)
    own.target.integrated_lufs, own.target.ceiling_dbtp = -20, -3
    own.outputs.add(bit_depth=16)
    rendered = render_master(own, beside(mix.audio[0].path.parent), tmp_path, analysis_file=False)
    numbers = rendered.analysis.measurements
    assert abs(numbers.integrated_lufs - -20) <= 0.2
    assert numbers.true_peak_dbtp <= -3
    assert (numbers.sample_rate_hz, rendered.audio[0].result.format.bit_depth) == (44_100, 16)
    assert list(tmp_path.iterdir()) == [rendered.audio[0].path]


def test_sources_of_other_rates_and_word_lengths_are_mixed(song: Path, tmp_path: Path):
    """A 44.1 kHz copy of a stem cancels the 48 kHz one to better than -60 dB after polarity inversion."""
    stem = song / "stems/12_lead-vox.flac"
    samples, rate = soundfile.read(stem, always_2d=True)
    soundfile.write(tmp_path / "b.wav", soxr.resample(samples, rate, 44_100, quality="VHQ"), 44_100, "FLOAT")
    shutil.copy(stem, tmp_path / "a.flac")
    recipe = load_mix_recipe("""
sample_rate_hz: 48000
tracks:
  - {id: a, source: "file:a.flac"}
  - {id: b, source: "file:b.wav", polarity_inverted: true}
""")
    rest = np.concatenate([block.mix for block in mix_blocks(resolved(recipe), beside(tmp_path))], axis=1)
    middle = slice(48_000, -48_000)
    assert np.sqrt((rest[:, middle] ** 2).mean()) < np.sqrt((samples[middle] ** 2).mean()) * 10 ** (-60 / 20)


def test_progress_grows_to_one_and_may_end_the_render(
    song: Path, mix_recipe: pb.MixRecipe, mix: Rendered, master_recipe: pb.MasterRecipe, tmp_path: Path
):
    """Shares never fall and end at 1; an exception from the callback leaves no file."""
    small = pb.MixRecipe()
    small.CopyFrom(mix_recipe)
    del small.tracks[3:]
    shares: list[float] = []
    render_mix(small, beside(song), [], tmp_path, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    shares.clear()
    render_master(master_recipe, beside(mix.audio[0].path.parent), tmp_path, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    folder = tmp_path / "cancelled"
    folder.mkdir()

    def cancel(share: float) -> None:
        if share > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_mix(small, beside(song), [], folder, progress=cancel, threads=2)
    with pytest.raises(KeyboardInterrupt):
        render_master(master_recipe, beside(mix.audio[0].path.parent), folder, progress=cancel)
    assert list(folder.iterdir()) == []


def test_integer_formats_say_when_they_clip(song: Path, mix_recipe: pb.MixRecipe, tmp_path: Path):
    """A mix 20 dB too hot is told, not silently squared off; the float file has nothing to tell."""
    hot = pb.MixRecipe()
    hot.CopyFrom(mix_recipe)
    del hot.tracks[1:]
    hot.mix_gain_db = 20
    clipped = render_mix(hot, beside(song), [pb.OutputFormat(bit_depth=24)], tmp_path)
    assert "exceed full scale and are clipped at 24 bits" in clipped.remarks[0]
    assert render_mix(hot, beside(song), [pb.OutputFormat(bit_depth=32)], tmp_path).remarks == ()


def test_what_cannot_be_rendered_is_told_in_full(song: Path, mix_recipe: pb.MixRecipe, tmp_path: Path):
    """Wrong recipes, missing files and missing folders are typed errors with a reason and a remedy."""
    wrong = pb.MixRecipe()
    wrong.CopyFrom(mix_recipe)
    wrong.tracks[0].gain_db = 99
    with pytest.raises(RecipeRefusedError, match=r"tracks\[kick\]\.gain_db: must be -96 to 24 dB, got 99"):
        render_mix(wrong, beside(song), [], tmp_path)
    with pytest.raises(SourceError) as caught:
        render_mix(mix_recipe, beside(tmp_path), [], tmp_path)
    assert caught.value.reason == "SOURCE_NOT_FOUND"
    with pytest.raises(OutputError):
        render_mix(mix_recipe, beside(song), [], tmp_path / "nowhere")
    soundfile.write(tmp_path / "six.wav", np.zeros((100, 6)), 48_000)
    six = load_mix_recipe('sample_rate_hz: 48000\ntracks: [{id: a, source: "file:six.wav"}]')
    with pytest.raises(SourceError, match="track a has 6 channels"):
        render_mix(six, beside(tmp_path), [], tmp_path)


def test_the_analysis_file_has_its_published_form(master: Rendered):
    """Keys, units and lengths as docs/dsp.md describes them."""
    plain = json.loads(master.files[0].path.read_text())
    assert plain["schema"] == "tapelog.analysis/1"
    assert plain["verdict"]["reached"] is True
    assert plain["target"] == {"name": "streaming", "integrated_lufs": -14, "ceiling_dbtp": -1, "tolerance_lu": 0.2}
    seconds = master.analysis.measurements.length_frames / 48_000
    assert len(plain["momentary_lufs"]["values"]) == int((seconds - 0.4) * 10) + 1
    assert len(plain["short_term_lufs"]["values"]) == int(seconds - 3.0) + 1
    assert len(plain["gain_reduction_db"]["values"]) == int(seconds * 10) + 1
    assert len(plain["waveform"]["low"]) == len(plain["waveform"]["high"]) == 2
    assert set(plain["measurements"]) >= {"integrated_lufs", "loudness_range_lu", "true_peak_dbtp", "sample_peak_dbfs"}
