import json
import os
from pathlib import Path

import pytest
from tapelog_chassis.auth import LocalIssuer
from tapelog_cli.diagnosis import diagnose
from tapelog_cli.exit_codes import ExitCode
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


def test_a_missing_broker_is_found(tmp_path: Path) -> None:
    """A broker that cannot be started is a finding, and the other checks are still made."""
    before = os.environ.get("NATS_SERVER_BIN")
    os.environ["NATS_SERVER_BIN"] = str(tmp_path / "no-such-server")
    try:
        findings = diagnose(tmp_path)
    finally:
        os.environ.pop("NATS_SERVER_BIN")
        if before is not None:
            os.environ["NATS_SERVER_BIN"] = before

    assert [finding.check for finding in findings if not finding.ok] == ["nats-server"]
    assert len(findings) > 5
