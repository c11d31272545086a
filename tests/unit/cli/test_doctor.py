import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tapelog_chassis.auth import LocalIssuer
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.installation.diagnosis import Finding, diagnose
from tapelog_cli.main import main


def test_a_good_installation_has_nothing_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every check passes where the tests run, and gives no advice."""
    assert main(["doctor", "--json", "--data-dir", str(tmp_path)]) == ExitCode.OK

    findings = json.loads(capsys.readouterr().out)
    assert [finding["check"] for finding in findings if not finding["ok"]] == []
    assert [finding["advice"] for finding in findings] == [""] * len(findings)


def test_a_key_that_others_can_read_is_found(tmp_path: Path) -> None:
    """The key's mode is named, with what to do."""
    LocalIssuer.open(tmp_path / "identity", create=True)
    (tmp_path / "identity" / "issuer.ed25519.pem").chmod(0o644)

    wrong = [finding for finding in diagnose(tmp_path) if not finding.ok]

    assert [finding.check for finding in wrong] == ["data folder"]
    assert "0644" in wrong[0].found
    assert "chmod" in wrong[0].advice


@contextmanager
def _setting(name: str, value: str) -> Iterator[None]:
    """Set a variable for a moment."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


def _wrong(data_dir: Path) -> dict[str, Finding]:
    """Return what is wrong, by the check's name; every one says what to do."""
    findings = diagnose(data_dir)
    assert len(findings) > 5, "the other checks are still made"
    wrong = {finding.check: finding for finding in findings if not finding.ok}
    assert all(finding.advice for finding in wrong.values())
    return wrong


def test_a_missing_broker_is_found(tmp_path: Path) -> None:
    """A broker that cannot be started is a finding, and says which variable names another one."""
    with _setting("NATS_SERVER_BIN", str(tmp_path / "no-such-server")):
        wrong = _wrong(tmp_path)

    assert set(wrong) == {"nats-server"}
    assert "no-such-server" in wrong["nats-server"].found
    assert "NATS_SERVER_BIN" in wrong["nats-server"].advice


def test_an_old_broker_is_found(tmp_path: Path) -> None:
    """A version that lacks what the log needs is told with its number."""
    old = tmp_path / "nats-server"
    old.write_text("#!/bin/sh\necho 'nats-server: v2.9.1'\n")
    old.chmod(0o755)
    with _setting("NATS_SERVER_BIN", str(old)):
        wrong = _wrong(tmp_path)

    assert set(wrong) == {"nats-server"}
    assert "2.9.1" in wrong["nats-server"].found


def test_kernels_that_do_not_run_here_are_found(tmp_path: Path) -> None:
    """An instruction set that was chosen and is not there: the ones that are, and how they are built."""
    done = subprocess.run(
        [sys.executable, "-m", "tapelog_cli", "doctor", "--json", "--data-dir", str(tmp_path)],
        capture_output=True, text=True, check=False, env={**os.environ, "TAPELOG_KERNEL_ISA": "v9"},
    )  # fmt: skip
    wrong = {one["check"]: one for one in json.loads(done.stdout) if not one["ok"]}

    assert (done.returncode, set(wrong)) == (ExitCode.CONFIG, {"dsp kernels"})
    assert "v9" in wrong["dsp kernels"]["found"]
    assert "make setup" in wrong["dsp kernels"]["advice"]


def test_a_package_that_is_missing_is_named(tmp_path: Path) -> None:
    """What the distribution asks for and Python does not have; looked for with a distribution that asks for more."""
    asks = tmp_path / "tapelog-0.1.0.dist-info"
    asks.mkdir()
    (asks / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: tapelog\nVersion: 0.1.0\nRequires-Dist: quadraphony>=4\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        wrong = _wrong(tmp_path)
    finally:
        sys.path.remove(str(tmp_path))

    assert set(wrong) == {"packages"}
    assert wrong["packages"].found == "missing: quadraphony"
    assert "make setup" in wrong["packages"].advice


def test_a_full_disk_is_found() -> None:
    """A place without room for the log: /proc has none, on every Linux."""
    wrong = _wrong(Path("/proc/self/none"))

    assert "0.0 GiB" in wrong["disk"].found
    assert "free at least" in wrong["disk"].advice
