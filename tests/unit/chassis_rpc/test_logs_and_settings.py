"""Log lines and settings: nothing secret leaves, and what is set is what is used."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pydantic
import pytest
import structlog
from pydantic import SecretStr
from tapelog.session.v1.events_pb2 import MemberAdded
from tapelog_chassis.observability.logs import configure_logs
from tapelog_chassis.rpc.grpc_options import ServerConfig, TlsFiles
from tapelog_chassis.settings import ServiceSettings


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Configure JSON logs into a buffer, and undo it."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logs("info", stream=stream, json=True)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def read(stream: io.StringIO) -> list[dict[str, object]]:
    """Return the lines written so far."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_time_and_level(lines: io.StringIO):
    """A log line is one JSON object that a collector can read."""
    structlog.get_logger().info("listening", port=7)
    line = read(lines)[0]
    assert (line["event"], line["level"], line["port"]) == ("listening", "info", 7)
    assert str(line["timestamp"]).endswith("Z")


def test_secrets_and_payloads_never_show(lines: io.StringIO):
    """Tokens, secret types, bytes and messages are hidden, however deep."""
    canary = "swordfish"
    structlog.get_logger().warning(
        "x",
        token=canary,
        Authorization=f"Bearer {canary}",
        wrapped=SecretStr(canary),
        audio=canary.encode(),
        message=MemberAdded(party=canary),
        nested={"secret": canary, "list": [SecretStr(canary), {"password": canary}]},
    )
    assert canary not in lines.getvalue()
    line = read(lines)[0]
    assert line["audio"] == "<9 bytes>"
    assert line["message"] == "<tapelog.session.v1.MemberAdded, 11 bytes>"


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_a_crash_shows_where_and_never_the_values_at_hand(lines: io.StringIO, *, as_json: bool):
    """A traceback names the function that failed and none of its variables."""
    canary = "sword" + "fish"

    def broken(token: str) -> float:
        return len(token) / 0

    configure_logs("info", stream=lines, json=as_json)
    try:
        broken(canary)
    except ZeroDivisionError:
        structlog.get_logger().exception("crash")
    assert "broken" in lines.getvalue()
    assert "ZeroDivisionError" in lines.getvalue()
    assert canary not in lines.getvalue()


def test_lines_of_libraries_have_the_same_form(lines: io.StringIO):
    """What a library logs through the standard module is JSON too."""
    logging.getLogger("some.library").error("went %s", "wrong")
    assert read(lines)[0]["event"] == "went wrong"
    assert read(lines)[0]["logger"] == "some.library"


def test_the_least_level_holds(lines: io.StringIO):
    """Lines below the level are not written."""
    structlog.get_logger().debug("quiet")
    assert lines.getvalue() == ""


def test_an_unknown_level_names_the_known_ones():
    """A wrong level is refused with the right ones."""
    with pytest.raises(ValueError, match="debug, info, warning, error"):
        configure_logs("loud")


def test_settings_come_from_the_environment(tmp_path: Path, environment: dict[str, str]):
    """Each setting has a TAPELOG_ variable."""
    environment.update(
        TAPELOG_DATA_DIR=str(tmp_path), TAPELOG_PORT="7001", TAPELOG_REFLECTION="true", TAPELOG_DRAIN_S="2.5"
    )
    settings = ServiceSettings()
    assert settings.server_config() == ServerConfig(port=7001, reflection=True, drain_s=2.5)
    assert settings.identity_dir == tmp_path / "identity"
    assert settings.key_set_path == tmp_path / "identity" / "jwks.json"


def test_tls_needs_certificate_and_key(environment: dict[str, str]):
    """Both files together make TLS; the server config carries them."""
    environment.update(TAPELOG_TLS_CERTIFICATE="/c.pem", TAPELOG_TLS_KEY="/k.pem")
    assert ServiceSettings().server_config().tls == TlsFiles(Path("/c.pem"), Path("/k.pem"))


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "70000"), ("PORT", "-1"), ("LOG_LEVEL", "loud"), ("DRAIN_S", "-1")]
)
def test_settings_out_of_range_are_refused(environment: dict[str, str], name: str, value: str):
    """A setting outside its range names itself."""
    environment[f"TAPELOG_{name}"] = value
    with pytest.raises(pydantic.ValidationError, match=name.lower()):
        ServiceSettings()


def test_every_setting_is_documented():
    """Every field of the settings says what it is, for the generated table."""
    assert [name for name, field in ServiceSettings.model_fields.items() if not field.description] == []
