"""`tapelog completion`."""

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from tapelog_cli.exit_codes import ExitCode


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Your shell.")]) -> int:
    """Print a script that completes commands, options and their values."""
    from tapelog_cli.main import build_app

    sys.stdout.write(build_app(whole=True).generate_completion(prog_name="tapelog", shell=shell))
    return ExitCode.OK
