"""Why a backup is not made or not used."""

from pathlib import Path

from tapelog_cli.errors import CliError
from tapelog_cli.exit_codes import ExitCode

LINES_MAX = 10
"""Findings that a message names."""


class BackupRefused(CliError):  # noqa: N818 - names a state
    """The log does not verify, so the backup was not made; the last one stands."""

    def __init__(self, wrong: list[str]) -> None:
        super().__init__(
            f"the log is damaged, nothing was copied over the last backup: {'; '.join(wrong[:LINES_MAX])}",
            hint="`tapelog verify` lists everything; restore the last backup with `tapelog restore`",
        )
        self.wrong = wrong


class BackupBusy(CliError):  # noqa: N818 - names a state
    """Another backup into the folder runs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"another backup into {folder} is being made", hint="wait for it, or name another folder")


class NoBackup(CliError):  # noqa: N818 - names a state
    """A folder holds no backup that was finished."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"there is no finished backup in {folder}",
            hint="name the folder that `tapelog backup --to` wrote; nothing was restored",
        )


class BackupDamaged(CliError):  # noqa: N818 - names a state
    """A backup is not whole, or was changed."""

    def __init__(self, folder: Path, wrong: list[str]) -> None:
        super().__init__(
            f"the backup {folder} is damaged: {'; '.join(wrong[:LINES_MAX])}",
            hint="nothing was restored; take another copy of the backup",
        )
        self.wrong = wrong


class RestoreFailed(CliError):  # noqa: N818 - names a state
    """What was restored is not what was backed up."""

    def __init__(self, folder: Path, wrong: list[str]) -> None:
        super().__init__(
            f"the restored log in {folder} does not verify: {'; '.join(wrong[:LINES_MAX])}",
            hint="do not start on this folder; keep it for a look, and restore another copy of the backup",
        )
        self.wrong = wrong


class FolderNotEmpty(CliError):  # noqa: N818 - names a state
    """A restore never writes into what is there."""

    code = ExitCode.CONFIG

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is not empty", hint="restore into a new folder, then `tapelog up` on it")


class KeyUnusable(CliError):  # noqa: N818 - names a state
    """The file that is to hold a backup's key does not."""

    code = ExitCode.CONFIG

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path} cannot be the key of a backup: {why}",
            hint="`tapelog backup --key FILE` makes one at its first run; keep a copy where the backup is not",
        )


class SealBroken(CliError):  # noqa: N818 - names a state
    """A part of a backup does not open."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path} does not open: {why}", hint="give the key with which the backup was made; nothing was restored"
        )


class NoKeystore(CliError):  # noqa: N818 - names a state
    """The keys of people's records are not where they are looked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"there is no keystore in {folder}",
            hint="name it with --keystore; with --without-keystore nobody's name or address can be read any more",
        )


class KeystoreTooOld(CliError):  # noqa: N818 - names a state
    """The keys are older than the backup, so that of some people there would be none."""

    def __init__(self, folder: Path, made: str, backup: str) -> None:
        super().__init__(
            f"the keystore {folder} is of {made}, older than the backup of {backup}",
            hint="each run of `tapelog backup` writes both; take the newest keystore there is",
        )


class ArchiveError(ValueError):
    """A stream's archive is of a form that is not known; it is copied whole then."""
