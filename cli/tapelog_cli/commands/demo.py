"""`tapelog demo`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import Json

if TYPE_CHECKING:
    from tapelog_client.local import StackState

    from tapelog_cli.demo.summary import Result


async def demo(
    *,
    out: Annotated[Path, Parameter(help="Folder for the results.")] = Path("out"),
    song: Annotated[Path | None, Parameter(help="Folder of another song; default: the example.")] = None,
    workers: Annotated[int, Parameter(help="Render worker processes.")] = 2,
    keep_running: Annotated[bool, Parameter(negative="", help="Leave the stack up until Ctrl-C.")] = False,
    json: Json = False,
) -> int:
    """Play a whole production: brief, recording, two mixes, master, delivery, alternates, three subscribers."""
    from tapelog_chassis.observability.logs import configure_logs

    from tapelog_cli.commands.up import stop_on_signals
    from tapelog_cli.demo.run import DemoOptions, play
    from tapelog_cli.demo.show import Show
    from tapelog_cli.demo.summary import print_result
    from tapelog_cli.printed.output import out as console
    from tapelog_cli.printed.output import print_json

    folder = out.absolute()
    folder.mkdir(parents=True, exist_ok=True)

    async def after(result: "Result", state: "StackState") -> None:
        if json:
            print_json(result.as_document())
        else:
            print_result(result, console())
        if keep_running:
            stop = stop_on_signals()
            console().print(f"still running: session {state.session}, render {state.render}, notify {state.notify}")
            await stop.wait()

    with (folder / "demo.log").open("w") as log:
        configure_logs("info", stream=log, json=True)
        await play(DemoOptions(folder, song, workers), Show(None if json else console()), after)
    return ExitCode.OK
