"""How a desk command ends: an exit code, and for an error one line of what is wrong and one of what to do."""

import functools
import json
import sys
from collections.abc import Callable
from typing import ParamSpec

from rich.console import Console

from tapelog_cli.exit_codes import ExitCode

P = ParamSpec("P")


class WrongUsage(Exception):  # noqa: N818  # names a state
    """Raised when the command line's values do not fit together.

    Attributes
    ----------
    remedy : str
        What to write instead.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


def say_error(problem: str, remedy: str, reason: str, *, as_json: bool) -> None:
    """Print an error to standard error."""
    if as_json:
        sys.stderr.write(json.dumps({"error": reason, "message": problem, "hint": remedy}) + "\n")
        return
    console = Console(file=sys.stderr, highlight=False)
    console.print("error:", style="bold red", end=" ")
    console.print(problem, markup=False, soft_wrap=True)
    console.print(f"  {remedy}", markup=False, soft_wrap=True, style="dim")


def told(command: Callable[P, int]) -> Callable[P, int]:
    """Return a command whose expected errors are told and become exit codes."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        from tapelog_desk.errors import DeskError
        from tapelog_interchange.errors import InterchangeError
        from tapelog_recipe import RecipeError

        as_json = bool(kwargs.get("json"))
        try:
            return command(*args, **kwargs)
        except WrongUsage as error:
            say_error(str(error), error.remedy, "USAGE", as_json=as_json)
            return ExitCode.USAGE
        except RecipeError as error:
            say_error(
                str(error),
                "mend the recipe (docs/recipe.md), or the option that says it",
                "RECIPE_INVALID",
                as_json=as_json,
            )
            return ExitCode.FAILURE
        except InterchangeError as error:
            say_error(error.problem, error.remedy, error.reason, as_json=as_json)
            return ExitCode.FAILURE
        except DeskError as error:
            say_error(error.problem, error.remedy, error.reason, as_json=as_json)
            return ExitCode.TARGET_MISSED if error.reason == "TARGET_INFEASIBLE" else ExitCode.FAILURE

    return run
