"""Recipes of the desk as the services take them."""

import hashlib
from pathlib import Path

import pytest
from tapelog.session.v1 import resources_pb2 as res
from tapelog_cli.errors import UsageError
from tapelog_cli.typed.written import FileNotTaken, read_brief, read_master, read_message, read_mix
from tapelog_desk.automix import BriefError
from tapelog_recipe import RecipeError

KICK, OTHER = b"the kick, as recorded", b"the kick, another time"
RECIPE = 'sample_rate_hz: 48000\ntracks:\n  - {id: kick, source: "file:stems/kick.wav"}\n'


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def song() -> res.Song:
    """Return a song with two takes of one track, the second selected."""
    made = res.Song()
    for id_, content in (("tk-1", KICK), ("tk-2", OTHER)):
        made.takes.add(id=id_, track="kick", asset_sha256=_sha256(content))
    made.tracks.add(id="kick", selected_take="tk-2")
    return made


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Return a recipe that names a file beside it."""
    (tmp_path / "stems").mkdir()
    path = tmp_path / "mix.yaml"
    path.write_text(RECIPE)
    return path


def test_a_file_becomes_the_take_with_its_bytes(recipe: Path, song: res.Song) -> None:
    """Not the selected one: what was heard at the desk is what is sent."""
    (recipe.parent / "stems" / "kick.wav").write_bytes(KICK)

    source = read_mix(recipe, song).tracks[0].source
    assert (source.asset_sha256, source.file) == (_sha256(KICK), "")


def test_a_file_that_is_not_here_becomes_the_selected_take(recipe: Path, song: res.Song) -> None:
    """Whoever has the recipe alone means the track of the same id."""
    assert read_mix(recipe, song).tracks[0].source.asset_sha256 == _sha256(OTHER)


def test_a_file_that_was_edited_is_refused(recipe: Path, song: res.Song) -> None:
    """Bytes that are no take are named, with the command that uploads them."""
    (recipe.parent / "stems" / "kick.wav").write_bytes(KICK + b", louder")

    with pytest.raises(FileNotTaken, match=r"stems/kick\.wav") as refused:
        read_mix(recipe, song)
    assert "tapelog take upload" in refused.value.hint


def test_a_file_whose_take_failed_is_refused_with_the_finding(recipe: Path, song: res.Song) -> None:
    """Before the services say that no such take is selected, which tells nobody why."""
    (recipe.parent / "stems" / "kick.wav").write_bytes(KICK)
    song.takes[0].check_state = res.TAKE_CHECK_STATE_FAILED
    song.takes[0].findings.append("SILENCE: channel 1 never rises above -90 dBFS")

    with pytest.raises(FileNotTaken, match=r"kick\.wav failed its check: SILENCE") as refused:
        read_mix(recipe, song)
    assert "leave track kick out" in refused.value.hint


def test_a_file_that_is_nowhere_is_refused(recipe: Path) -> None:
    """Neither here nor a selected take."""
    with pytest.raises(UsageError, match=r"stems/kick\.wav, which is not there"):
        read_mix(recipe, res.Song())


def test_an_asset_stays(tmp_path: Path) -> None:
    """A recipe that names assets already is sent as it is."""
    path = tmp_path / "mix.json"
    path.write_text(
        '{"sample_rate_hz": 48000, "tracks": [{"id": "kick", "source": "asset:%s"}]}' % _sha256(KICK)  # noqa: UP031 - braces
    )

    assert read_mix(path, res.Song()).tracks[0].source.asset_sha256 == _sha256(KICK)


def test_a_master_of_a_file_is_one_of_the_approved_mix(tmp_path: Path) -> None:
    """The source that the desk needs is left open for the services."""
    path = tmp_path / "master.yaml"
    path.write_text("source: file:mix.wav\ntarget: {name: streaming}\noutputs: [{container: wav, bit_depth: 24}]\n")

    assert not read_master(path).HasField("source")


def test_what_is_wrong_in_a_file_is_listed(tmp_path: Path) -> None:
    """Every unknown field of a spec, and a brief whose rule is none."""
    spec, brief = tmp_path / "spec.yaml", tmp_path / "brief.yaml"
    spec.write_text("stemz: true\nlyrics: true\n")
    brief.write_text("constraints: [{id: empty, statement: Nothing.}]\n")

    with pytest.raises(RecipeError) as refused:
        read_message(spec, res.DeliverySpec())
    assert {violation.path for violation in refused.value.violations} == {"stemz", "lyrics"}
    with pytest.raises(BriefError, match="has no rule"):
        read_brief(brief)
