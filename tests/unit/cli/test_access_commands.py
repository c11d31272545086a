"""`tapelog access` and `tapelog audit` on a data folder, and certificates of clients in a deployment's."""

import json
from pathlib import Path

import pytest
from tapelog_chassis.audit.files import AuditFiles, files_of
from tapelog_chassis.audit.record import Line
from tapelog_chassis.auth import LocalIssuer, Revocations, TokenVerifier
from tapelog_chassis.auth.issuer import JWKS_FILE
from tapelog_chassis.auth.revocations import REVOKED_FILE
from tapelog_chassis.errors import Unauthenticated
from tapelog_cli.commands import access, audit
from tapelog_cli.errors import UsageError
from tapelog_cli.installation.deployment_folder import make_deployment


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a data folder with an issuer and three audited calls."""
    LocalIssuer.open(tmp_path / "identity", create=True)
    files = AuditFiles(tmp_path / "audit", tmp_path / "anchors", "session")
    for party, decision, resource in (("ana", "allow", "projects/p/songs/s"), ("ben", "deny", ""), ("ana", "deny", "")):
        rpc = "/tapelog.session.v1.SessionService/GetSong"
        files.add(Line(0, "2026-06-01T12:00:00+00:00", party=party, rpc=rpc, decision=decision, resource=resource))
    files.close()
    return tmp_path


def test_a_party_is_revoked_and_let_in_again(folder: Path, capsys: pytest.CaptureFixture[str]):
    """The command writes what services read."""
    issuer = LocalIssuer.open(folder / "identity")
    token = issuer.mint(audiences=["session"], tenant="local", party="ana")
    verifier = TokenVerifier.from_file(folder / "identity" / JWKS_FILE, audience="session")
    assert access.revoke("ana", data_dir=folder) == 0
    assert Revocations.read(folder / "identity" / REVOKED_FILE).parties == {("local", "ana")}
    assert verifier.refresh()
    with pytest.raises(Unauthenticated, match="revoked"):
        verifier.verify(token)
    assert access.restore("ana", data_dir=folder) == 0
    assert verifier.refresh()
    verifier.verify(token)
    assert "revoked" in capsys.readouterr().out
    with pytest.raises(UsageError):
        access.revoke("No Id", data_dir=folder)
    with pytest.raises(UsageError, match="no issuer key"):
        access.revoke("ana", data_dir=folder / "elsewhere")


def test_the_signing_key_is_rotated_and_retired(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Two keys count after the first command, one after the second."""
    keys = folder / "identity" / JWKS_FILE
    assert access.rotate_key(data_dir=folder) == 0
    assert len(json.loads(keys.read_text())["keys"]) == 2
    capsys.readouterr()
    assert access.rotate_key(retire=True, data_dir=folder, json=True) == 0
    (left,) = json.loads(keys.read_text())["keys"]
    assert json.loads(capsys.readouterr().out)["key"] == left["kid"]


def test_the_audit_is_shown_and_checked(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Filters narrow what is shown; an edited line is exit code 1 and named."""
    assert audit.show(who="ana", denied=True, data_dir=folder, json=True) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert (line["service"], line["party"], line["decision"]) == ("session", "ana", "deny")
    assert audit.show(resource="projects/p", data_dir=folder) == 0
    assert "GetSong" in capsys.readouterr().out
    assert audit.verify(data_dir=folder) == 0
    (path,) = files_of(folder / "audit", "session")
    path.write_bytes(path.read_bytes().replace(b'"ben"', b'"bem"'))
    assert audit.verify(data_dir=folder) == 1
    assert "session-000001.jsonl line 2" in capsys.readouterr().out


def test_a_client_has_a_certificate_until_it_is_revoked(tmp_path: Path):
    """Certificates of clients stay over runs; a revoked one is gone, on the list, and out of the broker's pins."""
    folder = tmp_path / "studio"
    make_deployment(folder, form="processes", store_bytes=2**30, clients=["bridge"])
    pinned = (folder / "nats" / "certificates.conf").read_text()
    certificate = (folder / "tls" / "clients" / "bridge.pem").read_bytes()
    make_deployment(folder)
    assert (folder / "tls" / "clients" / "bridge.pem").read_bytes() == certificate
    assert (folder / "nats" / "certificates.conf").read_text() == pinned
    listed = (folder / "tls" / "revoked.pem").read_bytes()
    make_deployment(folder, revoke=["clients/bridge"])
    assert not (folder / "tls" / "clients" / "bridge.pem").exists()
    assert (folder / "tls" / "revoked.pem").read_bytes() != listed
    assert len((folder / "nats" / "certificates.conf").read_text()) < len(pinned)
    with pytest.raises(Exception, match="no certificate"):
        make_deployment(folder, revoke=["clients/bridge"])
