import os
import subprocess
import sys
from pathlib import Path

import pytest
from tapelog_cli.errors import DataFolderInUse
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.installation.data_folder import DataFolder


def test_a_second_user_of_a_folder_is_refused_with_folder_and_process(tmp_path: Path) -> None:
    """Whoever comes second learns which folder, and which process to stop."""
    with DataFolder(tmp_path), pytest.raises(DataFolderInUse) as refused, DataFolder(tmp_path):
        pass

    assert str(tmp_path) in str(refused.value)
    assert refused.value.pid == os.getpid()
    assert refused.value.code == ExitCode.CONFIG


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    """A stack that was killed leaves a folder that the next one can use."""
    code = (
        "import os, pathlib, signal\n"
        "from tapelog_cli.installation.data_folder import DataFolder\n"
        f"DataFolder(pathlib.Path({str(tmp_path)!r})).__enter__()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -9

    with DataFolder(tmp_path) as folder:
        assert folder.path == tmp_path


def test_secrets_are_written_for_this_user_alone(tmp_path: Path) -> None:
    """Credentials have mode 0600 in folders of mode 0700, also when they replace older ones."""
    with DataFolder(tmp_path / "data") as folder:
        folder.write_private("creds/session.creds", "old")
        path = folder.write_private("creds/session.creds", "new")

        assert path.read_text() == "new"
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
