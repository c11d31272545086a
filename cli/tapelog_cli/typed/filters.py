"""Options that choose events, the same for every command that does."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from tapelog.notify.v1 import resources_pb2


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which events: every given condition must hold."""

    types: Annotated[
        tuple[str, ...],
        Parameter(
            show_default=False,
            name="--type",
            negative=(),
            help="Full type, or a prefix that ends in *; may be given again.",
        ),
    ] = ()
    projects: Annotated[
        tuple[str, ...],
        Parameter(show_default=False, name="--project", negative=(), help="Project id; may be given again."),
    ] = ()
    songs: Annotated[
        tuple[str, ...], Parameter(show_default=False, name="--song", negative=(), help="Song id; may be given again.")
    ] = ()
    thread: Annotated[
        Literal["", "internal", "client"],
        Parameter(show_default=False, name="--thread", help="Of notes, only those of this thread."),
    ] = ""

    def as_filter(self) -> "resources_pb2.EventFilter":
        """Return it as the message of the API."""
        from tapelog_client.subscriptions import event_filter

        return event_filter(projects=self.projects, songs=self.songs, types=self.types, thread=self.thread)
