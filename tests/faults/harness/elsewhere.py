"""The ids of the plan that other tiers try: by a commit's tests, at night, or as a measurement."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """
    What is tried outside of the battery.

    Attributes
    ----------
    id, what
        As in the battery's table.
    tier
        `commit` (`make test`), `nightly` (`make test-nightly`), `bench` (`make bench`).
    test
        A file, or one test of it.
    """

    id: str
    what: str
    tier: str
    test: str


def _render(name: str) -> str:
    return f"tests/integration/render/{name}"


ELSEWHERE: Final = (
    Elsewhere(
        "F04 zombie",
        "a worker that was stopped, lost its lease and goes on records nothing",
        "commit",
        _render("test_worker_faults.py::test_a_worker_that_hung_and_comes_back_records_nothing"),
    ),
    Elsewhere(
        "F21",
        "golden histories of every version fold to their state",
        "commit",
        "tests/unit/session/test_golden_histories.py::test_a_history_of_an_earlier_version_folds_to_its_state",
    ),
    Elsewhere(
        "F23",
        "simulation on a virtual clock: every promise in 10,000 seeds; each safeguard, switched off, is missed",
        "nightly",
        "tests/simulation/test_simulation.py::test_every_promise_holds_in_ten_thousand_seeds",
    ),
    Elsewhere(
        "L01",
        "durable commands beside the raw log and a bare echo",
        "bench",
        "tests/integration/session/test_bench.py::test_commands_beside_the_raw_log_and_a_bare_echo",
    ),
    Elsewhere(
        "L03",
        "1,000 event streams at 200 events a second: gap, dup, reorder 0; p99 from append to receipt",
        "bench",
        "tests/bench/notify/test_followers.py::test_a_thousand_followers",
    ),
    Elsewhere(
        "L06",
        "200 endpoints of which 50 never answer, fail or drip: the others are not held up",
        "bench",
        "tests/bench/notify/test_webhook_load.py::test_two_hundred_endpoints_of_which_fifty_are_ill",
    ),
    Elsewhere(
        "L07",
        "10 jobs of a tenant behind 10,000 of another",
        "bench",
        _render("test_job_puller.py::test_ten_jobs_behind_ten_thousand"),
    ),
    Elsewhere(
        "L09",
        "a second worker joins and leaves among 200 jobs: the rate, lost 0, the same bytes",
        "bench",
        _render("test_bench_workers.py::test_a_second_worker_joins_and_leaves_among_two_hundred_jobs"),
    ),
    Elsewhere(
        "B01",
        "files that lie about themselves, through the real engine process",
        "nightly",
        _render("test_hostile_files.py::test_every_way_to_lie"),
    ),
    Elsewhere(
        "B02",
        "silence bombs of FLAC, Vorbis and Opus are cut at the cap",
        "nightly",
        _render("test_hostile_files.py::test_bombs_are_cut_at_the_cap"),
    ),
    Elsewhere(
        "B03",
        "NaN and infinities: refused, with the place of the first and their number",
        "commit",
        "tests/unit/dsp/test_audio.py::test_invalid_audio",
    ),
    Elsewhere(
        "B05",
        "every kind of file cut off everywhere",
        "nightly",
        _render("test_damaged_files.py::test_every_kind_cut_off_everywhere"),
    ),
    Elsewhere(
        "B06",
        "20,000 files damaged at random, decoded in the sandbox",
        "nightly",
        _render("test_damaged_files.py::test_thousands_damaged_at_random"),
    ),
    Elsewhere("B07", "own parsers of headers under any bytes", "commit", "tests/properties/desk/test_header_fuzz.py"),
    Elsewhere(
        "B09-B11",
        "hostile ZIP, XML and names in sessions of strangers",
        "commit",
        "tests/unit/interchange/test_hostile.py::test_it_is_refused_with_a_reason",
    ),
    Elsewhere(
        "B12",
        "10,000 requests per RPC made from the descriptors: INTERNAL and UNKNOWN 0",
        "nightly",
        "tests/system/test_every_rpc.py::test_nothing_that_is_sent_all_night_breaks_a_service",
    ),
    Elsewhere(
        "B13",
        "foreign and broken messages in the streams hold nobody up",
        "commit",
        "tests/integration/session/test_foreign_messages.py::test_foreign_messages_hold_nobody_up",
    ),
    Elsewhere(
        "P8 answers",
        "every RPC from another tenant, about what is here and what is nowhere: told apart 0",
        "commit",
        "tests/system/test_every_rpc.py::test_another_tenant_cannot_tell_what_exists",
    ),
    Elsewhere(
        "P8 errors",
        "answers, error texts and details of every RPC hold nothing of another tenant that was not in the question",
        "nightly",
        "tests/system/test_isolation.py::test_errors_and_answers_hold_nothing_of_another_tenant",
    ),
    Elsewhere(
        "P8 objects",
        "an upload, announced or sent, does not tell whether another tenant has the file",
        "nightly",
        "tests/system/test_isolation.py::test_an_upload_does_not_tell_whether_others_have_the_file",
    ),
    Elsewhere(
        "P8 events",
        "streams, filters, cursors, replays and dead letters of another tenant: events 0",
        "nightly",
        "tests/system/test_isolation.py::test_subscriptions_by_name_filter_and_cursor_give_nothing_of_others",
    ),
    Elsewhere(
        "P8 clock",
        "every RPC that takes a name, about what is here and what is nowhere: ranks of times",
        "nightly",
        "tests/system/test_isolation.py::test_no_rpc_tells_by_the_clock_what_another_tenant_has",
    ),
    Elsewhere(
        "S01",
        "seven ways to knock without a good certificate, at every listener",
        "commit",
        "tests/deploy/test_processes.py::test_the_parts_serve_work_together_and_drain",
    ),
    Elsewhere(
        "S02",
        "hostile tokens: accepted 0, jku fetched 0",
        "commit",
        "tests/unit/chassis_rpc/test_tokens.py::test_no_hostile_token_is_allowed",
    ),
    Elsewhere(
        "S03",
        "every RPC and role: as the golden matrix says, whatever has no row is denied",
        "commit",
        "tests/unit/session/test_permission_matrix.py::test_no_rpc_is_without_a_row_and_no_row_without_an_rpc",
    ),
    Elsewhere(
        "S05",
        "each service's own NATS credentials, used for what it may not do",
        "commit",
        "tests/integration/chassis/test_nats_permissions.py::test_publishing_elsewhere_is_denied",
    ),
    Elsewhere(
        "S07",
        "floods of pings, streams, resets, headers and bombs against the shipped server",
        "commit",
        "tests/integration/rpc/test_abuse.py",
    ),
    Elsewhere(
        "S08",
        "a call without a deadline gets the server's; a caller's deadline ends the handler",
        "commit",
        "tests/integration/rpc/test_limits.py::test_a_clients_deadline_ends_the_handler",
    ),
    Elsewhere(
        "S09",
        "60 URLs, name servers and redirects that lead inside: connections 0",
        "commit",
        "tests/integration/notify/test_hostile_urls.py::test_no_url_leads_to_a_connection",
    ),
    Elsewhere(
        "S11",
        "webhook signatures by the reference library; changed, old and foreign ones refused",
        "commit",
        "tests/unit/notify/test_signature.py::test_the_reference_library_verifies_what_we_sign",
    ),
    Elsewhere(
        "S12",
        "receivers that drip, redirect and answer for ever hold nobody up",
        "commit",
        "tests/integration/notify/test_retry_schedule.py::test_what_drips_is_accepted_by_its_status_and_holds_nobody_up",
    ),
    Elsewhere(
        "S14",
        "flips, deletions, swaps, truncation and rewriting of log and anchors: found 100 %",
        "commit",
        "tests/contracts/test_tampering.py::test_every_change_of_the_log_is_found",
    ),
    Elsewhere(
        "S14 audit",
        "the same of the audit",
        "commit",
        "tests/unit/chassis_rpc/test_audit.py::test_every_flipped_bit_is_found",
    ),
    Elsewhere(
        "S16",
        "only loopback listens; files are private; a bind beyond without TLS is refused",
        "commit",
        "tests/system/test_closed.py::test_only_loopback_listens",
    ),
)
