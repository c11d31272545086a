"""Where things are in a folder that is backed up: that of `tapelog up`, or that of `tapelog broker-init`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from tapelog_chassis.anchors import AnchorVerifier
from tapelog_chassis.objects import ObjectStore

from tapelog_cli.installation.deployment_folder import CHOICES_FILE

OWNERS: Final = {"session": "session", "render": "render", "usage": "render", "notify": "notify"}
"""Which service writes a context's log, and so where its journal of anchors is."""
STORES: Final = ("objects", "archive")
LEFT_OUT: Final = (
    "objects", "archive", "scratch", "nodes", "creds", "profiles", "state.json", "backup.json", "up.lock",
    "pids.json", "env",
)  # fmt: skip
"""Top-level names of a stack's folder that are copied otherwise, or made anew at each start."""
LEFT_OUT_OF_NATS: Final = ("store", ".lock", "nats-server.conf", "nats-server.log")
"""The same inside its folder `nats`; the store is copied stream by stream."""
LEFT_OUT_OF_STATE: Final = ("broker", "broker-2", "broker-3", "objects", "scratch")
"""The same in the folder `state` of a deployment."""


class Layout(Protocol):
    """Where things are."""

    @property
    def folder(self) -> Path:
        """The folder itself."""
        ...

    @property
    def keys(self) -> Path:
        """Folder of which `keys` holds the broker's operator and account."""
        ...

    @property
    def store(self) -> Path:
        """Folder of the broker's streams."""
        ...

    def anchors(self, context: str) -> Path:
        """Return the folder of a context's journal."""
        ...

    def anchor_keys(self, context: str) -> Path:
        """Return the folder of the key that signs a context's journal."""
        ...

    def verifier(self, context: str) -> AnchorVerifier | None:
        """Return what the journal's signatures are checked with; None where they are not signed."""
        ...

    def objects(self, name: str) -> ObjectStore | None:
        """Open the store `objects` or `archive`; None where there is none."""
        ...

    def new_objects(self, name: str) -> ObjectStore:
        """Open the store `objects` or `archive`, made if it is not there."""
        ...

    def small_files(self) -> Iterator[str]:
        """Yield the paths of everything that is neither log nor audio nor made anew at a start."""
        ...


@dataclass(frozen=True, slots=True)
class StackLayout:
    """The folder of `tapelog up`; `object_url` only where the audio is not in it."""

    folder: Path
    object_url: str = ""

    @property
    def keys(self) -> Path:
        """See `Layout.keys`."""
        return self.folder / "nats"

    @property
    def store(self) -> Path:
        """See `Layout.store`."""
        return self.folder / "nats" / "store"

    def anchors(self, context: str) -> Path:
        """See `Layout.anchors`."""
        del context
        return self.folder / "anchors"

    def anchor_keys(self, context: str) -> Path:
        """See `Layout.anchor_keys`."""
        del context
        return self.folder / "anchor-keys"

    def verifier(self, context: str) -> AnchorVerifier | None:
        """See `Layout.verifier`."""
        return AnchorVerifier.read(self.anchor_keys(context), context)

    def objects(self, name: str) -> ObjectStore | None:
        """See `Layout.objects`."""
        return _opened(self.folder / name, self._url(name))

    def new_objects(self, name: str) -> ObjectStore:
        """See `Layout.new_objects`."""
        return ObjectStore(self._url(name) or str(self.folder / name))

    def _url(self, name: str) -> str:
        return self.object_url if name == "objects" else ""

    def small_files(self) -> Iterator[str]:
        """See `Layout.small_files`."""
        tops = [path for path in self.folder.iterdir() if path.name not in {*LEFT_OUT, "nats"}]
        tops += [path for path in (self.folder / "nats").iterdir() if path.name not in LEFT_OUT_OF_NATS]
        return _files(self.folder, tops)


@dataclass(frozen=True, slots=True)
class DeploymentLayout:
    """The folder of `tapelog broker-init`, whose parts run as processes or containers of their own."""

    folder: Path
    object_url: str = ""

    @property
    def keys(self) -> Path:
        """See `Layout.keys`."""
        return self.folder

    @property
    def store(self) -> Path:
        """See `Layout.store`."""
        return self.folder / "state" / "broker"

    def anchors(self, context: str) -> Path:
        """See `Layout.anchors`."""
        return self.folder / "state" / OWNERS[context] / "anchors"

    def anchor_keys(self, context: str) -> Path:
        """See `Layout.anchor_keys`."""
        return self.folder / "state" / OWNERS[context] / "anchor-keys"

    def verifier(self, context: str) -> AnchorVerifier | None:
        """See `Layout.verifier`."""
        return AnchorVerifier.read(self.anchor_keys(context), context)

    def objects(self, name: str) -> ObjectStore | None:
        """See `Layout.objects`."""
        return _opened(self._objects_at(name), self._url(name))

    def new_objects(self, name: str) -> ObjectStore:
        """See `Layout.new_objects`."""
        return ObjectStore(self._url(name) or str(self._objects_at(name)))

    def _objects_at(self, name: str) -> Path:
        state = self.folder / "state"
        return state / name if name == "objects" else state / "session" / name

    def _url(self, name: str) -> str:
        return self.object_url if name == "objects" else ""

    def small_files(self) -> Iterator[str]:
        """See `Layout.small_files`."""
        tops = [path for path in self.folder.iterdir() if path.name not in {"state", "env", "creds"}]
        state = self.folder / "state"
        tops += [path for path in state.iterdir() if path.name not in LEFT_OUT_OF_STATE]
        archive = state / "session" / "archive"
        return (name for name in _files(self.folder, tops) if not (self.folder / name).is_relative_to(archive))


def layout_of(folder: Path, *, object_url: str = "") -> Layout:
    """Return where things are in a folder, by what made it."""
    if (folder / CHOICES_FILE).is_file():
        return DeploymentLayout(folder, object_url)
    return StackLayout(folder, object_url)


def _opened(path: Path, url: str) -> ObjectStore | None:
    if url:
        return ObjectStore(url)
    return ObjectStore(str(path)) if path.is_dir() else None


def _files(folder: Path, tops: list[Path]) -> Iterator[str]:
    for top in sorted(tops):
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and path.suffix != ".ports":
                yield str(path.relative_to(folder))
