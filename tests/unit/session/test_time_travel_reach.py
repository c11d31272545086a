"""Which reads may be asked as of a moment: all, but for those that are written here with the reason."""

from typing import Final

from tapelog.session.v1 import session_service_pb2 as wire

METHODS: Final = wire.DESCRIPTOR.services_by_name["SessionService"].methods
READS: Final = ("Get", "List", "Search", "EvaluateGate")
MOMENTS: Final = ("as_of_sequence", "as_of_time")

MANY: Final = "a list over several aggregates; a sequence belongs to one of them, a time to all"
ERASABLE: Final = "a person's record is no history: it can be corrected and erased, and nothing of before may stay"
KEYS: Final = "what opens the door now; who made and revoked a key is in the audit, and no production rests on it"
UNFINISHED: Final = "how far an upload came is no fact of a production; what arrives whole is one, as an asset"
EXCEPTIONS: Final = {
    ("GetParty", "as_of_sequence"): ERASABLE,
    ("GetParty", "as_of_time"): ERASABLE,
    ("GetUpload", "as_of_sequence"): UNFINISHED,
    ("GetUpload", "as_of_time"): UNFINISHED,
    ("ListApiKeys", "as_of_sequence"): KEYS,
    ("ListApiKeys", "as_of_time"): KEYS,
    ("ListProjects", "as_of_sequence"): MANY,
    ("ListSongs", "as_of_sequence"): MANY,
    ("SearchSongs", "as_of_sequence"): MANY,
}


def test_every_get_and_list_takes_a_sequence_and_a_time() -> None:
    """Found in the descriptor, so that a new read without them fails here; no exception is kept that is none."""
    lacking = {
        (method.name, moment)
        for method in METHODS
        if method.name.startswith(READS)
        for moment in MOMENTS
        if moment not in method.input_type.fields_by_name
    }
    assert lacking == set(EXCEPTIONS)
    assert sum(method.name.startswith(READS) for method in METHODS) >= 14


def test_the_moments_are_of_one_type_everywhere() -> None:
    """A sequence is an int64, a time a Timestamp, in each request that has one."""
    for method in METHODS:
        fields = method.input_type.fields_by_name
        if "as_of_sequence" in fields:
            assert fields["as_of_sequence"].cpp_type == fields["as_of_sequence"].CPPTYPE_INT64
        if "as_of_time" in fields:
            assert fields["as_of_time"].message_type.full_name == "google.protobuf.Timestamp"
