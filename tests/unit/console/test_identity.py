"""Cookies and what must not be used again, against a clock that the test moves."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tapelog_chassis.clock import FakeClock
from tapelog_console.identity.cookies import SESSION_S, CookieKey
from tapelog_console.identity.spent import ENTRIES_MAX, Spent

BEGIN = datetime(2026, 5, 3, 14, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands."""
    return FakeClock(BEGIN)


def test_a_cookie_says_who_it_was_written_for(tmp_path: Path, clock: FakeClock) -> None:
    """Also after a restart, which reads the same key."""
    person = CookieKey.open(tmp_path / "key", clock).begin("acme", "pty-pia", ("AUDITOR",))
    value = CookieKey.open(tmp_path / "key", clock).write(person)

    assert CookieKey.open(tmp_path / "key", clock).read(value) == person
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_cookie_lives_a_working_day(clock: FakeClock) -> None:
    """It is good until the last second and not in the next."""
    key = CookieKey(b"k" * 32, clock)
    value = key.write(key.begin("acme", "pty-pia", ()))
    clock.advance(SESSION_S - 1)
    assert key.read(value) is not None
    clock.advance(1)
    assert key.read(value) is None


@pytest.mark.parametrize("value", ["", ".", "a.b", "é.é", "x" * 100_000, "W10=." + "0" * 64])
def test_what_is_no_cookie_of_ours_is_nobody(value: str, clock: FakeClock) -> None:
    """Nothing is parsed before its signature is right."""
    assert CookieKey(b"k" * 32, clock).read(value) is None


def test_no_bit_of_a_cookie_can_be_changed(clock: FakeClock) -> None:
    """Every single changed character makes it nobody's."""
    key = CookieKey(b"k" * 32, clock)
    value = key.write(key.begin("acme", "pty-pia", ()))
    changed = [
        value[:index] + ("x" if value[index] != "x" else "y") + value[index + 1 :] for index in range(len(value))
    ]

    assert [text for text in changed if key.read(text) is not None] == []


def test_another_installation_has_another_cookie(clock: FakeClock) -> None:
    """Two consoles on one host do not overwrite each other's session."""
    one, other = CookieKey(b"k" * 32, clock), CookieKey(b"q" * 32, clock)

    assert one.session_name != other.session_name
    assert other.read(one.write(one.begin("acme", "pty-pia", ()))) is None


def test_a_form_token_is_of_one_visit(clock: FakeClock) -> None:
    """Neither another visit nor an empty one is let in."""
    key = CookieKey(b"k" * 32, clock)

    assert key.is_form_token("visit-1", key.form_token("visit-1"))
    assert not key.is_form_token("visit-2", key.form_token("visit-1"))
    assert not key.is_form_token("", key.form_token(""))


def test_what_was_spent_stays_spent_over_restarts_until_it_expires(tmp_path: Path, clock: FakeClock) -> None:
    """The file keeps it; what has expired by itself is dropped."""
    path = tmp_path / "spent.jsonl"
    now_s = BEGIN.timestamp()
    assert Spent(path, clock).add("code:1", now_s + 100)
    assert not Spent(path, clock).add("code:1", now_s + 100)
    clock.advance(101)
    Spent(path, clock).add("code:2", now_s + 500)

    assert [json.loads(line)[0] for line in path.read_text().splitlines()] == ["code:2"]


def test_what_is_spent_has_a_limit(tmp_path: Path, clock: FakeClock) -> None:
    """When it is full the entry that expires first gives way."""
    path = tmp_path / "spent.jsonl"
    until_s = BEGIN.timestamp() + 1000
    path.write_text("".join(json.dumps([f"code:{number}", until_s + number]) + "\n" for number in range(ENTRIES_MAX)))
    spent = Spent(path, clock)
    spent.add("code:last", until_s)

    assert "code:0" not in spent
    assert "code:1" in spent
    assert len(path.read_text().splitlines()) == ENTRIES_MAX
