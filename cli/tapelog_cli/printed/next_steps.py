"""What to do next about a refusal of the services, in the words of commands; where the error does not say it itself."""

from typing import Final

from tapelog_client.errors import TapelogApiError

BY_REASON: Final = {
    "GATE_CLOSED": "meet each condition listed, then repeat it; `tapelog gate show SONG` lists them at any time",
    "WRONG_STAGE": "`tapelog gate show SONG` says what the song waits for, `tapelog gate advance SONG` takes it on",
    "PROJECT_CLOSED": "`tapelog project reopen PROJECT`, as its producer",
}
BY_STATUS: Final = {
    "INVALID_ARGUMENT": "mend what is listed; `--help` of the command shows the form",
    "FAILED_PRECONDITION": "do first what is missing; `tapelog song show SONG` says where it stands",
    "OUT_OF_RANGE": "read what there is now, and name a place in it",
    "NOT_FOUND": "check the name: `tapelog project list` and `tapelog song list` show those of the party that asks",
    "ALREADY_EXISTS": "choose another name, or go on with the one that is there",
    "PERMISSION_DENIED": "`tapelog project members PROJECT` shows who has which role; ask as another party with --as",
    "DEADLINE_EXCEEDED": "it may have taken effect: look before you repeat it",
    "DATA_LOSS": "`tapelog verify` says what is damaged, `tapelog restore` brings a backup (docs/operations.md)",
    "INTERNAL": "this is a defect; look for its error id in the service's log, and report it",
    "CANCELLED": "repeat it",
    "UNKNOWN": "look into the service's log",
}


def next_step(error: TapelogApiError) -> str:
    """Return one line of advice; never empty for a status of gRPC that means a refusal."""
    return error.hint or BY_REASON.get(error.reason) or BY_STATUS.get(error.code.name, "")
