from pathlib import Path

import pytest
from tapelog_cli.commands.take import track_ids
from tapelog_cli.errors import UsageError
from tapelog_cli.typed.naming import delivery_name, project_id, project_name, short, song_name, version_name
from tapelog_client import StaticTokenSource, Tapelog

SONG = "projects/prj-1/songs/sng-1"


@pytest.fixture
def nowhere() -> Tapelog:
    """Return a client without addresses: whatever it is asked fails, so these names need no service."""
    return Tapelog.connect(tokens=StaticTokenSource("none"))


@pytest.mark.parametrize("text", ["prj-1", "projects/prj-1"])
def test_a_project_by_id_or_name(text: str) -> None:
    """Both are the same project."""
    assert (project_name(text), project_id(text)) == ("projects/prj-1", "prj-1")


def test_what_is_no_project_is_told() -> None:
    """The message says where names are to be found."""
    with pytest.raises(UsageError) as refused:
        project_name("Night Drive")

    assert "tapelog project list" in refused.value.hint


@pytest.mark.parametrize("text", [SONG, "prj-1/sng-1", f"{SONG}/mixVersions/3", f"{SONG}/deliveries/dlv-1"])
async def test_a_song_by_name(text: str, nowhere: Tapelog) -> None:
    """A whole name, a short one, or the name of something in the song."""
    assert await song_name(nowhere, text) == SONG


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("mix-3", None, "mixVersions/3"),
        ("master 1", "master", "masterVersions/1"),
        ("2", "master", "masterVersions/2"),
        (f"{SONG}/mixVersions/7", None, "mixVersions/7"),
    ],
)
async def test_a_version_of_a_song(text: str, kind: str | None, name: str, nowhere: Tapelog) -> None:
    """By its short name, by its number where the kind is plain, or by its whole name."""
    found = await version_name(nowhere, SONG, text, kind=kind)  # type: ignore[arg-type]  # one of the two words

    assert found == f"{SONG}/{name}"
    assert short(found).replace("-", "Versions/") == name


@pytest.mark.parametrize("text", ["3", "mixed-3", "mix-", "mix--1"])
async def test_what_is_no_version_is_told(text: str, nowhere: Tapelog) -> None:
    """A number alone does not say whether it is a mix or a master."""
    with pytest.raises(UsageError, match="is no version"):
        await version_name(nowhere, SONG, text)


async def test_a_package_by_name(nowhere: Tapelog) -> None:
    """A package's own name stands."""
    assert await delivery_name(nowhere, f"{SONG}/deliveries/dlv-1") == f"{SONG}/deliveries/dlv-1"


def test_files_name_their_tracks_as_the_first_mix_does() -> None:
    """Leading numbers go, words are joined by hyphens, a second one is numbered: the ids of an automix recipe."""
    files = ["01_Kick.wav", "12 - Lead Vox (dbl).flac", "808.wav", "02_kick.wav"]

    assert track_ids(map(Path, files)) == ["kick", "lead-vox-dbl", "track-808", "kick-2"]
