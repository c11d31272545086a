"""The schedule of retries, with a clock that is only a sum."""

import itertools

from tapelog_notify.domain.retry import JITTER, SCHEDULE_S, Decision, Verdict, decide

HOUR_S = 3600.0


def run_through(key: str, status: int = 500, retry_after_s: float | None = None) -> list[float]:
    """Return the times of all attempts, in seconds after the first."""
    times = [0.0]
    attempt = 1
    while (decision := decide(status, attempt, key, retry_after_s=retry_after_s)).verdict is Verdict.RETRY:
        times.append(times[-1] + decision.delay_s)
        attempt += 1
    assert decision == Decision(Verdict.EXHAUSTED)
    return times


def test_the_schedule_is_the_specifications() -> None:
    """0, 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h."""
    assert SCHEDULE_S == (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)


def test_every_wait_is_in_its_band_and_the_whole_lasts_75_hours() -> None:
    """For a thousand deliveries: ten attempts, each wait up to 20 % longer than the schedule's, none shorter."""
    for number in range(1000):
        times = run_through(f"sub-1/{number}")
        assert len(times) == 10
        assert 75.0 <= times[-1] / HOUR_S <= 91.0
        waits = [after - before for before, after in itertools.pairwise(times)]
        for wait_s, schedule_s in zip(waits, SCHEDULE_S[1:], strict=True):
            assert schedule_s <= wait_s <= schedule_s * (1 + JITTER)


def test_jitter_is_spread_and_repeatable() -> None:
    """Deliveries that failed together come back apart, and a restart computes the same times."""
    firsts = [decide(500, 1, f"sub-1/{number}").delay_s for number in range(1000)]
    assert len(set(firsts)) == 1000
    assert firsts == [decide(500, 1, f"sub-1/{number}").delay_s for number in range(1000)]
    thirds = sorted((delay - 5.0) / (5.0 * JITTER) for delay in firsts)
    assert max(abs(value - number / 1000) for number, value in enumerate(thirds)) < 0.06


def test_only_2xx_is_success() -> None:
    """Redirects, client errors, server errors and silence are failures."""
    for status in range(100, 600):
        verdict = decide(status, 1, "k").verdict
        expected = Verdict.ACCEPTED if 200 <= status < 300 else Verdict.GONE if status == 410 else Verdict.RETRY
        assert verdict is expected
    assert decide(0, 1, "k").verdict is Verdict.RETRY


def test_410_disables_at_any_attempt() -> None:
    """Gone is gone, also at the last attempt."""
    assert {decide(410, attempt, "k").verdict for attempt in range(1, 12)} == {Verdict.GONE}


def test_retry_after_lengthens_a_wait_and_never_shortens_one() -> None:
    """429 and 503 may ask for up to a day; asking for a second does not use up the attempts in seconds."""
    assert decide(429, 1, "k", retry_after_s=120.0).delay_s == 120.0
    assert decide(503, 1, "k", retry_after_s=1e9).delay_s == 24 * HOUR_S
    assert decide(500, 1, "k", retry_after_s=120.0).delay_s < 7.0
    assert run_through("k", 429, 1.0) == run_through("k")


def test_an_attempt_beyond_the_schedule_is_the_last() -> None:
    """A delivery count that a crash has raised ends the schedule instead of breaking it."""
    assert decide(500, 25, "k").verdict is Verdict.EXHAUSTED
