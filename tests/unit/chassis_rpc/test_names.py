"""Ids, request hashes, etags and page tokens."""

import json
import re
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tapelog.session.v1.session_service_pb2 import CreateProjectRequest, CreateSongRequest, ListSongsRequest
from tapelog_chassis import ids
from tapelog_chassis.errors import Aborted, InvalidArgument
from tapelog_chassis.rpc.etag import check_etag, format_etag, parse_etag
from tapelog_chassis.rpc.pages import coerce_page_size, decode_page_token, encode_page_token

WORDS = ("acme", "ana", "/tapelog.session.v1.SessionService/CreateSong", "r1")


def test_a_retry_makes_the_same_id():
    """Equal arguments make equal ids, and the id is one we have always made."""
    assert ids.derive_id("sng", *WORDS) == ids.derive_id("sng", *WORDS) == "sng-7z07kdbwg8a0btb6tsq37cny52"


def test_each_argument_counts():
    """Changing any one argument, or moving text between two, makes another id."""
    variants = {ids.derive_id("sng", *WORDS), ids.derive_id("prj", *WORDS)}
    for place in range(4):
        changed = list(WORDS)
        changed[place] += "x"
        variants.add(ids.derive_id("sng", *changed))
    variants.add(ids.derive_id("sng", "acmea", "na", *WORDS[2:]))
    assert len(variants) == 7


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.tuples(*[st.text(max_size=40)] * 4), st.from_regex(ids.PREFIX_PATTERN, fullmatch=True))
def test_every_derived_id_is_a_valid_id(words: tuple[str, str, str, str], prefix: str):
    """Whatever goes in, what comes out is a name of at most 32 characters that a subject can hold."""
    made = ids.derive_id(prefix, *words)
    assert ids.validate_id(made) == made
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,31}", made)


@pytest.mark.parametrize("prefix", ["", "1a", "Sng", "toolong", "a-b"])
def test_a_bad_prefix_is_a_defect(prefix: str):
    """A prefix that could break the id's form is refused."""
    with pytest.raises(ValueError, match="prefix"):
        ids.derive_id(prefix, *WORDS)


@pytest.mark.parametrize("value", ["", "1abc", "Abc", "a" * 33, "a.b", "a*", "a>", "a b", "ä", "a\n", "a/b"])
def test_bad_ids_are_refused_with_the_field(value: str):
    """An id that could be more than one token of a subject is refused, naming field and value."""
    with pytest.raises(InvalidArgument) as caught:
        ids.validate_id(value, field="song_id")
    assert caught.value.fields[0].field == "song_id"
    assert caught.value.metadata["value"] == value[:64]


def test_event_ids_are_uuids_per_index():
    """An event id is a uuid5 and differs per index."""
    made = [ids.event_id("c", index) for index in range(3)]
    assert len(set(made)) == 3
    assert {uuid.UUID(text).version for text in made} == {5}
    with pytest.raises(ValueError, match="negative"):
        ids.event_id("c", -1)


def test_follow_up_ids_are_request_ids():
    """What a process manager sends is a valid request_id, one per cause and step."""
    one, two = ids.follow_up_request_id("mixVersions/1", "render"), ids.follow_up_request_id("mixVersions/1", "check")
    assert ids.validate_request_id(one) == one
    assert one != two


def test_request_hash_ignores_the_request_id_alone():
    """The hash is of what is asked for, not of the attempt; another field or another type changes it."""
    plain = CreateProjectRequest(request_id="a")
    plain.title = "Blue"
    again = CreateProjectRequest(request_id="b")
    again.title = "Blue"
    other = CreateProjectRequest(request_id="a")
    other.title = "Red"
    hashes = [ids.request_hash(message) for message in (plain, again, other, CreateSongRequest(request_id="a"))]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
    assert plain.request_id == "a"


def test_etags_are_quoted_sequences():
    """An etag is the sequence in quotes, and the empty one is no expectation."""
    assert (format_etag(12), parse_etag('"12"'), parse_etag("")) == ('"12"', 12, None)
    check_etag("", 3)
    check_etag('"3"', 3)
    with pytest.raises(Aborted, match='you sent etag "2", it is now "3"'):
        check_etag('"2"', 3)


@pytest.mark.parametrize(("asked", "given_size"), [(0, 50), (1, 1), (500, 500), (501, 500), (2**31 - 1, 500)])
def test_page_size_is_coerced(asked: int, given_size: int):
    """Nothing asked is the default; too much is the largest page."""
    assert coerce_page_size(asked) == given_size


def test_a_negative_page_size_is_refused():
    """A negative page size is a mistake, not a wish."""
    with pytest.raises(InvalidArgument, match="-1 is negative"):
        coerce_page_size(-1)


def test_page_token_round_trip():
    """A token gives its cursor back for the same query, whatever the page size."""
    query = ListSongsRequest(parent="projects/p", page_size=10)
    token = encode_page_token("song-7", query)
    assert decode_page_token(token, ListSongsRequest(parent="projects/p", page_size=99, page_token=token)) == "song-7"
    assert decode_page_token("", query) == ""
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)


def test_page_token_is_bound_to_its_query():
    """A token of another parent is refused."""
    token = encode_page_token("song-7", ListSongsRequest(parent="projects/p"))
    with pytest.raises(InvalidArgument, match="another query"):
        decode_page_token(token, ListSongsRequest(parent="projects/q"))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(min_size=1, max_size=100))
def test_foreign_page_tokens_are_refused(token: str):
    """No text that we did not make is taken for a token, and none crashes."""
    with pytest.raises(InvalidArgument):
        decode_page_token(token, ListSongsRequest(parent="projects/p"))


def test_a_huge_page_token_is_refused():
    """A token of a megabyte is not even decoded."""
    with pytest.raises(InvalidArgument, match="the limit is 2048"):
        decode_page_token("A" * 1_000_000, ListSongsRequest())


@pytest.mark.parametrize("request_id", ["3f2b8c1e-5d4a-4e6f-9a7b-0c1d2e3f4a5b", "", "ü"])
def test_ids_of_commands_and_events_are_uuids_of_version_5(request_id: str):
    """Computed here with the standard library: the same names, so that logs of any version are recognised."""
    commands, events = (uuid.uuid5(uuid.NAMESPACE_URL, f"urn:tapelog:{word}") for word in ("command", "event"))
    command = ids.command_id("session", "acme", "sng-1", request_id)
    assert command == str(uuid.uuid5(commands, json.dumps(["session", "acme", "sng-1", request_id])))
    assert ids.event_id(command, 3) == str(uuid.uuid5(events, f"{command}/3"))
