"""The `tapelog` command: a table of commands, each imported only when it runs."""

import os
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

from cyclopts import App, CycloptsError

from tapelog_cli.exit_codes import ExitCode


class Command(NamedTuple):
    """One row of the table: its words, where its function is, what it does, and an example."""

    words: str
    target: str
    summary: str
    example: str


COMMANDS: Final = (
    Command(
        "up",
        "tapelog_cli.commands.up:up",
        "Run the whole system on this machine until Ctrl-C.",
        "tapelog up --data-dir studio",
    ),
    Command(
        "demo",
        "tapelog_cli.commands.demo:demo",
        "Take a real song from raw stems to a delivered master, through the real services.",
        "tapelog demo --out out",
    ),
    Command(
        "meter",
        "tapelog_cli.desk.meter:meter",
        "Measure loudness, range and true peak of audio files. Needs no services.",
        "tapelog meter mix.wav stems/*.flac",
    ),
    Command(
        "mix",
        "tapelog_cli.desk.mix:mix",
        "Mix a recipe into audio files; the same recipe gives the same bytes. Needs no services.",
        "tapelog mix examples/lithium/mix-2.yaml -o mix.wav",
    ),
    Command(
        "automix",
        "tapelog_cli.desk.automix:automix",
        "Make a first mix recipe from stems, each move with its reason. Needs no services.",
        "tapelog automix examples/lithium/song.yaml -o examples/lithium/first-mix.yaml --explain",
    ),
    Command(
        "master",
        "tapelog_cli.desk.master:master",
        "Master a mix to a loudness target under a true-peak ceiling. Needs no services.",
        "tapelog master mix.wav -o master.wav --target streaming --report master.html",
    ),
    Command(
        "targets",
        "tapelog_cli.desk.targets:targets",
        "List delivery targets: the published ones, and your own. Needs no services.",
        "tapelog targets --targets my.toml",
    ),
    Command(
        "album",
        "tapelog_cli.desk.album:album",
        "Master an album: one gain for all songs, gaps, fades, a cue sheet. Needs no services.",
        "tapelog album one.wav two.wav -o album --target streaming --whole",
    ),
    Command(
        "check",
        "tapelog_cli.desk.check:check",
        "Judge a master on other loudspeakers, in mono, on platforms and after codecs. Needs no services.",
        "tapelog check master.wav --report check.html",
    ),
    Command(
        "import",
        "tapelog_cli.desk.sessions:import_session",
        "Read a DAWproject or Reaper session as a recipe, with a report of what did not travel. Needs no services.",
        "tapelog import song.dawproject -o song",
    ),
    Command(
        "export",
        "tapelog_cli.desk.sessions:export_session",
        "Write a recipe with its audio as DAWproject. Needs no services.",
        "tapelog export examples/lithium/mix-2.yaml -o lithium.dawproject",
    ),
    Command(
        "tags show",
        "tapelog_cli.desk.tags:show_tags",
        "Print the broadcast tags (bext, iXML) of a WAV file. Needs no services.",
        "tapelog tags show take.wav",
    ),
    Command(
        "tags write",
        "tapelog_cli.desk.tags:write_tags",
        "Write broadcast tags into a WAV file: time reference, loudness, scene, take. Needs no services.",
        "tapelog tags write master.wav -o master.wav --originator Tapelog --loudness",
    ),
    Command(
        "status",
        "tapelog_cli.commands.status:status",
        "Say what runs on a data folder, and how it is.",
        "tapelog status --json",
    ),
    Command(
        "doctor",
        "tapelog_cli.commands.doctor:doctor",
        "Check the installation and say what to do.",
        "tapelog doctor",
    ),
    Command(
        "sign-in",
        "tapelog_cli.commands.sign_in:sign_in",
        "Print a link that signs a person in to the review page, once.",
        "tapelog sign-in pty-producer",
    ),
    Command(
        "token",
        "tapelog_cli.commands.token:token",
        "Print a short-lived token for another program, such as grpcurl.",
        "tapelog token pty-producer",
    ),
    Command(
        "song show",
        "tapelog_cli.commands.song:show",
        "Show a song: stage, versions, notes, and what its next gate waits for.",
        "tapelog song show projects/prj-1/songs/sng-1 --as pty-producer",
    ),
    Command(
        "events tail",
        "tapelog_cli.commands.events:tail",
        "Print public events as they happen, one JSON object a line.",
        "tapelog events tail --from 0 --type 'tapelog.song.*' --as pty-producer",
    ),
    Command(
        "usage statement",
        "tapelog_cli.commands.usage:statement",
        "Price what a project used in a period, by rate cards; print it as CSV or JSON.",
        "tapelog usage statement prj-1 --start 2026-07-01 --end 2026-08-01 --rates rate-card.yaml --as pty-producer",
    ),
    Command(
        "broker-init",
        "tapelog_cli.deployment:broker_init",
        "Make the keys and the broker configuration of parts that run as processes or containers of their own.",
        "tapelog broker-init --out deployment",
    ),
    Command(
        "provision",
        "tapelog_cli.deployment:provision",
        "Create the streams and consumers on a broker that runs on its own.",
        "tapelog provision --nats-url tls://127.0.0.1:4222 --creds deployment/creds/admin.creds "
        "--tls-ca deployment/tls/ca.pem",
    ),
)

GROUPS: Final = {
    "tags": "Broadcast tags of WAV files.",
    "song": "Songs.",
    "events": "The public event stream.",
    "usage": "What is billed.",
}


def build_app() -> App:
    """Return the command line; nothing but the table is imported."""
    app = App(
        name="tapelog",
        help="Record production as facts: sessions, decisions, deterministic mixes and masters.",
        version=_version,
        help_epilogue="Example: `tapelog demo`. Every command has `--help` with an example of its own. "
        "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing running, 4 target missed, 78 wrong set-up, "
        "130 interrupted.",
    )
    groups = {word: App(name=word, help=text, help_epilogue=_examples(word)) for word, text in GROUPS.items()}
    for group in groups.values():
        app.command(group)
    for command in COMMANDS:
        group_word, _, word = command.words.rpartition(" ")
        parent = groups[group_word] if group_word else app
        parent.command(command.target, name=word, help=command.summary, help_epilogue=f"Example: `{command.example}`")
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors are told, never traced back."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        result = build_app()(tokens, exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        return ExitCode.USAGE
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:
        if os.environ.get("TAPELOG_DEBUG"):
            raise
        from tapelog_cli.errors import explain
        from tapelog_cli.output import print_error

        explained = explain(error)
        print_error(explained, as_json="--json" in tokens)
        return explained.code
    return result if isinstance(result, int) else ExitCode.OK


def _examples(group: str) -> str:
    found = [command.example for command in COMMANDS if command.words.startswith(f"{group} ")]
    return f"Example: `{found[0]}`"


def _version() -> str:
    from importlib.metadata import version

    return version("tapelog")


if __name__ == "__main__":
    sys.exit(main())
