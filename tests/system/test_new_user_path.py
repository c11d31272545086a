"""README as a new user follows it: from their own stems to a master."""

import os
from pathlib import Path

import new_user_path as path
import pyloudnorm
import pytest
import soundfile

from .excerpts import excerpt

ROOT = Path(__file__).resolve().parents[2]
STEMS = ("kick", "synth", "lead-vox")
LENGTH_S = 3.0


def _is_a_master(made: Path) -> None:
    """Another program's meter says what the target asks for."""
    samples, rate_hz = soundfile.read(made / "master.wav")
    assert pyloudnorm.Meter(rate_hz).integrated_loudness(samples) == pytest.approx(-14.0, abs=0.3)
    assert abs(samples).max() <= 10 ** (-1 / 20)
    assert all((made / page).stat().st_size > 10_000 for page in ("master.html", "check.html"))


def test_the_way_begins_with_the_set_up_and_ends_with_a_check():
    """README's own block: a clone, made ready once, then four commands in the order of the work."""
    typed = path.commands((ROOT / "README.md").read_text())
    assert [line.split()[:2] for line in typed] == [
        ["make", "setup"], ["source", ".venv/bin/activate"], ["tapelog", "automix"], ["tapelog", "mix"],
        ["tapelog", "master"], ["tapelog", "check"],
    ]  # fmt: skip


@pytest.mark.nightly
def test_the_commands_of_readme_master_somebodys_stems(tmp_path: Path):
    """Each line after the set-up, word for word, in a folder that holds nothing but `stems/`."""
    stems = tmp_path / "own"
    stems.mkdir()
    for name in STEMS:
        excerpt(stems, name, length_s=LENGTH_S)
    steps = path.play(stems, tmp_path, clone=False)
    assert [step.command.split()[1] for step in steps] == ["automix", "mix", "master", "check"]
    _is_a_master(tmp_path / "tapelog")


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_a_fresh_clone_masters_a_song_of_the_corpus(tmp_path: Path):
    """Clone, set-up and all: no installation but the new one is used."""
    corpus = os.environ.get("TAPELOG_CORPUS") or pytest.skip("needs TAPELOG_CORPUS, a folder of multitracks")
    steps = path.play(Path(corpus) / "multitrack" / "band_rock120", tmp_path)
    assert [step.command.split()[0] for step in steps[:3]] == ["git", "make", "source"]
    _is_a_master(tmp_path / "tapelog")


def test_a_stumble_is_told(tmp_path: Path):
    """What a command says when it fails is what the maintainer reads."""
    stems = tmp_path / "own"
    stems.mkdir()
    (stems / "notes.txt").write_text("no audio")
    with pytest.raises(path.Stumbled, match=r"automix stems/\* .*\nended with 1:\n(.*\n)*.*notes\.txt"):
        path.play(stems, tmp_path, clone=False)
