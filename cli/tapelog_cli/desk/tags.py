"""`tapelog tags show` and `tapelog tags write`: the bext and iXML chunks of WAV files."""

import dataclasses
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.box import SIMPLE
from rich.table import Table
from tapelog_desk.analyzing import analyze_file
from tapelog_desk.files.atomic import atomic_file
from tapelog_desk.probe import probe_file
from tapelog_interchange import (
    Bext,
    Ixml,
    changed_ixml,
    encode_bext,
    read_bext,
    read_ixml,
    write_with_tags,
)

from tapelog_cli.desk import show
from tapelog_cli.desk.files import require_file, require_folder
from tapelog_cli.desk.told import WrongUsage, told
from tapelog_cli.exit_codes import ExitCode


def _read(path: Path) -> tuple[Bext | None, Ixml | None]:
    require_file(path)
    return read_bext(path), read_ixml(path)


@told
def show_tags(
    file: Annotated[Path, Parameter(help="A WAV file.", negative=())],
    /,
    *,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")] = False,
) -> int:
    """Print the broadcast tags of a WAV file: description, time reference, loudness, scene, take, track names.

    Example: `tapelog tags show take.wav`
    """
    bext, ixml = _read(file)
    if json:
        show.print_json({"bext": None if bext is None else bext.json(), "ixml": None if ixml is None else ixml.json()})
        return ExitCode.OK
    table = Table(header_style="bold", box=SIMPLE, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("chunk", "field", "value"):
        table.add_column(name)
    for chunk, tags in (("bext", bext), ("iXML", ixml)):
        for name, value in ({} if tags is None else tags.json()).items():
            if value not in (None, "", [], False, 0):
                table.add_row(chunk, name, str(value))
    if table.row_count:
        show.output().print(table)
    else:
        show.output().print(f"{file.name} has no bext and no iXML chunk", markup=False)
    return ExitCode.OK


@told
def write_tags(
    file: Annotated[Path, Parameter(help="A WAV file; its samples stay byte for byte.", negative=())],
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="The file to write; may be the same.")],
    description: Annotated[str | None, Parameter(help="What it is, at most 256 ASCII characters.")] = None,
    originator: Annotated[str | None, Parameter(help="Who made it, at most 32 characters.")] = None,
    reference: Annotated[str | None, Parameter(help="Their reference of it, at most 32 characters.")] = None,
    date_made: Annotated[str | None, Parameter(name="--date", help="Day it was made, such as 2026-05-17.")] = None,
    time_made: Annotated[str | None, Parameter(name="--time", help="Time of day, such as 14:03:00.")] = None,
    time_reference: Annotated[int | None, Parameter(help="Its first frame since midnight.")] = None,
    loudness: Annotated[bool, Parameter(negative="", help="Measure it and write its loudness.")] = False,
    scene: Annotated[str | None, Parameter(help="iXML scene.")] = None,
    take: Annotated[str | None, Parameter(help="iXML take.")] = None,
    note: Annotated[str | None, Parameter(help="iXML note.")] = None,
    json: Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")] = False,
) -> int:
    """Write the broadcast tags of a WAV file; fields that are not given stay as they are.

    Example: `tapelog tags write master.wav -o master.wav --originator Tapelog --loudness`
    """
    bext, _ = _read(file)
    require_folder(output)
    probe_file(file)
    if date_made is not None:
        try:
            date.fromisoformat(date_made)
        except ValueError as error:
            raise WrongUsage(f"--date {date_made} is no day", "write it as 2026-05-17") from error
    given = {
        "description": description, "originator": originator, "originator_reference": reference,
        "origination_date": date_made, "origination_time": time_made, "time_reference_frames": time_reference,
    }  # fmt: skip
    changes = {name: value for name, value in given.items() if value is not None}
    new_bext = dataclasses.replace(bext or Bext(), **changes)  # type: ignore[arg-type]  # the fields have these types
    if loudness:
        new_bext = _measured(file, new_bext, quiet=json)
    texts = {name: value for name, value in (("scene", scene), ("take", take), ("note", note)) if value is not None}
    tags: dict[bytes, bytes] = {}
    if new_bext != (bext or Bext()):
        tags[b"bext"] = encode_bext(new_bext)
    if texts:
        tags[b"iXML"] = changed_ixml(file, texts)
    if not tags:
        raise WrongUsage("nothing to write", "name at least one field; `tapelog tags write --help` lists them")
    with atomic_file(output) as sink:
        write_with_tags(file, sink, tags)
    return show_tags(output, json=json)


def _measured(file: Path, bext: Bext, *, quiet: bool) -> Bext:
    """Return the tags with the file's loudness; a silent file has none."""
    with show.progress_bar(f"measuring {file.name}", quiet=quiet) as progress:
        numbers = analyze_file(file, progress=progress).audio.measurements

    names = {"integrated_lufs": "integrated_lufs", "range_lu": "loudness_range_lu",
             "max_true_peak_dbtp": "true_peak_dbtp", "max_momentary_lufs": "max_momentary_lufs",
             "max_short_term_lufs": "max_short_term_lufs"}  # fmt: skip
    said = {field.name: value for field, value in numbers.ListFields()}
    measured: dict[str, Any] = {name: said.get(there) for name, there in names.items()}
    return dataclasses.replace(bext, **measured)
