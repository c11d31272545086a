"""`tapelog automix` as a person calls it."""

import json
from pathlib import Path

import pytest
from tapelog_cli.main import main
from tapelog_recipe import load_mix_recipe, validate_mix

BRIEF = """
constraints:
  - id: dry-lead
    statement: No reverb on my voice.
    effect_forbidden: {selector: {tracks: [lead-vox]}, effects: [reverb]}
"""


def test_a_recipe_is_written_and_explained(song: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The recipe loads and obeys the brief; the explanation names rules and sources."""
    (tmp_path / "brief.yaml").write_text(BRIEF)
    output = tmp_path / "first.yaml"
    words = [*map(str, song), "-o", str(output), "--brief", str(tmp_path / "brief.yaml"), "--explain"]
    assert main(["automix", *words]) == 0
    recipe = load_mix_recipe(output.read_text())
    assert validate_mix(recipe, services=False) == ()
    assert not next(track for track in recipe.tracks if track.id == "lead-vox").sends
    told = " ".join(capsys.readouterr().out.split())
    assert "dry-lead: No reverb on my voice." in told
    assert "house rule" in told
    assert "De Man" in told


def test_programs_get_json_and_may_name_roles(song: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The JSON holds tracks and moves; a role on the command line is the role."""
    output = tmp_path / "first.json"
    assert main(["automix", *map(str, song), "-o", str(output), "--role", "keys=piano", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"id": "keys", "role": "piano", "confidence": 1.0}.items() <= told["tracks"][4].items()
    assert load_mix_recipe(output.read_text(), "json").tracks[4].id == "keys"


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Work in an empty folder, and return what is printed."""
    monkeypatch.chdir(tmp_path)
    return capsys


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["-o", "there.yaml"], 2, "USAGE"),
        (["-o", "mix.wav"], 2, "USAGE"),
        (["-o", "a.yaml", "--role", "kick"], 2, "USAGE"),
        (["-o", "a.yaml", "--role", "kick=zither of gold"], 1, "ROLE_UNKNOWN"),
        (["-o", "a.yaml", "--brief", "none.yaml"], 1, "RECIPE_NOT_FOUND"),
        (["-o", "a.yaml", "--brief", "there.yaml"], 1, "BRIEF_INVALID"),
    ],
)
def test_errors_are_told(words: list[str], code: int, reason: str, song: list[Path], here: pytest.CaptureFixture[str]):
    """Each with its code and reason; a recipe that an engineer may have edited is never replaced unasked."""
    Path("there.yaml").write_text("mine: true")
    assert main(["automix", str(song[0]), *words, "--json"]) == code
    assert json.loads(here.readouterr().err)["error"] == reason
    assert Path("there.yaml").read_text() == "mine: true"
