"""Options that many commands share, so that they mean the same everywhere."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

DataDir = Annotated[
    Path | None,
    Parameter(
        name="--data-dir",
        env_var="TAPELOG_DATA_DIR",
        help="Folder of the running `tapelog up`. Default: ./tapelog-data",
    ),
]
Party = Annotated[str, Parameter(name="--as", env_var="TAPELOG_PARTY", help="Party id of who asks.")]
Tenant = Annotated[str, Parameter(name="--tenant", env_var="TAPELOG_TENANT", help="Studio or label.")]
SongName = Annotated[
    str, Parameter(help="projects/{project}/songs/{song}, project/song, the song's id, or its whole title.")
]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")]
JsonLines = Annotated[
    bool, Parameter(name="--json", negative="", help="Taken as everywhere; what is printed is JSON lines anyway.")
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"], Parameter(name="--log-level", help="Least level logged.")
]


def data_dir_or_default(given: Path | None) -> Path:
    """Return the absolute path of the folder that was named, or of the default one."""
    from tapelog_client.local import default_data_dir

    return (given if given is not None else default_data_dir()).absolute()
