"""What people wrote is printed as they wrote it."""

import io

from rich.console import Console
from tapelog.session.v1 import resources_pb2 as res
from tapelog_cli.commands.disagreement import _option
from tapelog_cli.printed.output import plain, table


def test_square_brackets_in_a_cell_are_no_markup() -> None:
    """A path of a recipe and a note with brackets are printed whole."""
    rows = table("where", "note")
    rows.add_row(*plain("tracks[lead-vox].chain[2].delay", "[bold]louder[/bold] at [0:12]"))
    out = io.StringIO()
    Console(file=out, width=120).print(rows)
    assert "tracks[lead-vox].chain[2].delay" in out.getvalue()
    assert "[bold]louder[/bold] at [0:12]" in out.getvalue()


def test_an_option_that_can_be_heard_says_by_which_gain_it_is_fair() -> None:
    """The gain that makes the options equally loud stands beside each; without a version there is none."""
    name = "projects/prj-1/songs/sng-1/mixVersions/2"
    heard = res.DecisionOption(id="dry", description="no echo", version=name, match_gain_db=-1.69)
    assert _option(heard) == "dry: no echo (mix-2 at -1.7 dB)"
    assert _option(res.DecisionOption(id="none", description="wait")) == "none: wait"
