"""`tapelog completion`."""

import sys
from typing import Annotated, Final, Literal

from cyclopts import Parameter

from tapelog_cli.exit_codes import ExitCode

ZSH_CALL: Final = """
if [[ "${funcstack[1]}" == _tapelog ]]; then
  _cyclopts_tapelog "$@"
elif (( ${+functions[compdef]} )); then
  compdef _cyclopts_tapelog tapelog
fi
"""
"""zsh runs the file as the function `_tapelog` when it completes for the first time; what cyclopts prints would only
define another function then, and offer nothing. The second branch is for ``source <(tapelog completion zsh)``."""


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Your shell.")]) -> int:
    """Print a script that completes commands, options and their values."""
    from tapelog_cli.main import build_app

    sys.stdout.write(build_app(whole=True).generate_completion(prog_name="tapelog", shell=shell))
    if shell == "zsh":
        sys.stdout.write(ZSH_CALL)
    return ExitCode.OK
