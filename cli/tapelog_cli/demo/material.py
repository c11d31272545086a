"""The song of the demo: stems and recipes from `examples/`, as files that people edit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import yaml
from tapelog.common.v1 import recipe_pb2
from tapelog_recipe import load_alternate, load_master_recipe, load_mix_recipe

from tapelog_cli.demo.errors import MaterialMissing

SONG: Final = "lithium"
SONG_FILE: Final = "song.yaml"
MASTER_FILE: Final = "master-streaming.yaml"
ALTERNATES_FOLDER: Final = "alternates"
ISRC: Final = "ZZTPL2600001"
"""A made-up recording code: ZZ belongs to no country."""
MIXER_INITIALS: Final = "MX"
NOTE_BARS: Final = 2
"""Length of the passage that the producer's note is about."""
SECONDS_PER_MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class StemTrack:
    """One stem: the track it becomes, and its file."""

    id: str
    title: str
    file: str
    path: Path


class Material:
    """A song's folder.

    Attributes
    ----------
    folder : Path
    tracks : tuple of StemTrack
        In the order of the song's file.
    """

    def __init__(self, folder: Path, song: dict[str, Any]) -> None:
        self.folder = folder
        self._song = song
        self.tracks = tuple(
            StemTrack(id=track["id"], title=track["title"], file=track["file"], path=folder / track["file"])
            for track in song["tracks"]
        )

    @classmethod
    def find(cls, folder: Path | None = None) -> Self:
        """Return the example song: a given folder, or the one of the repository this package stands in.

        Raises
        ------
        MaterialMissing
            It is not there.
        """
        chosen = folder or next((place / SONG for place in _places() if (place / SONG / SONG_FILE).is_file()), None)
        if chosen is None or not (chosen / SONG_FILE).is_file():
            tried = ", ".join(str(place / SONG) for place in _places()) if folder is None else str(folder)
            raise MaterialMissing(
                f"the example song is not there (looked for {SONG_FILE} in {tried})",
                hint="run the demo from a clone of the repository, or name the folder with --song",
            )
        return cls(chosen, yaml.safe_load((chosen / SONG_FILE).read_text()))

    @property
    def title(self) -> str:
        """Title of the song."""
        return str(self._song["title"])

    @property
    def artist(self) -> str:
        """Artist's name."""
        return str(self._song["artist"])

    @property
    def project_title(self) -> str:
        """Title of the project."""
        return str(self._song["album"])

    @property
    def credits(self) -> str:
        """Whose recording it is and how it may be used, in one line."""
        return str(self._song["credits"])

    @property
    def sample_rate_hz(self) -> int:
        """Session rate."""
        return int(self._song["sample_rate_hz"])

    @property
    def bit_depth(self) -> int:
        """Session depth."""
        return int(self._song["bit_depth"])

    @property
    def note_frames(self) -> tuple[int, int]:
        """First frame of the last section, where the lead comes in, and the frame `NOTE_BARS` later."""
        beats_per_bar = int(str(self._song["time_signature"]).partition("/")[0])
        bar_frames = beats_per_bar * SECONDS_PER_MINUTE / float(self._song["bpm"]) * self.sample_rate_hz
        bar = self._song["sections"][-1]["first_bar"] - 1
        return round(bar * bar_frames), round((bar + NOTE_BARS) * bar_frames)

    def mix_recipe(self, name: str, sources: dict[str, str]) -> recipe_pb2.MixRecipe:
        """Return a mix recipe with its files replaced by the assets they were uploaded as."""
        recipe = load_mix_recipe((self.folder / name).read_text())
        for track in recipe.tracks:
            track.source.asset_sha256 = sources[track.source.file]
        return recipe

    def master_recipe(self) -> recipe_pb2.MasterRecipe:
        """Return the master recipe; its source is the approved mix, so it is left open."""
        recipe = load_master_recipe((self.folder / MASTER_FILE).read_text())
        recipe.ClearField("source")
        return recipe

    def alternates(self) -> tuple[recipe_pb2.Alternate, ...]:
        """Return the alternates, by their files' names."""
        return tuple(
            load_alternate(path.read_text()) for path in sorted((self.folder / ALTERNATES_FOLDER).glob("*.yaml"))
        )


def _places() -> tuple[Path, ...]:
    """Return where examples may be: the repository of an editable install, or the folder the demo is called from."""
    return (Path(__file__).resolve().parents[3] / "examples", Path.cwd() / "examples")
