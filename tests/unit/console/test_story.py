"""The story's lines, said to people."""

import pytest
from tapelog.session.v1 import resources_pb2 as res
from tapelog_console.reading.history import CHAPTER_FACTS, bounds
from tapelog_console.reading.story import QUOTE_CHARS, Teller

SONG = res.Song(
    name="projects/prj-1/songs/sng-1",
    sample_rate_hz=48_000,
    tracks=[res.Track(id="lead-vox", title="Lead vocal")],
    takes=[res.Take(id="tk-1", track="lead-vox"), res.Take(id="tk-2", track="lead-vox")],
    notes=[res.Note(id="nt-1", text="The echo\nhides the words"), res.Note(id="nt-2", text="x" * 200)],
    disagreements=[res.Disagreement(id="dis-1", question="Does it need movement?")],
)


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("verified note nt-1", "verified note “The echo hides the words”"),
        ("selected take tk-2 of lead-vox", "selected take 2 (Lead vocal) of lead-vox"),
        ("stated a position in dis-1", "stated a position in “Does it need movement?”"),
        ("made note nt-1 (blocker) on mixVersions/1, frames 96000 to 144000",
         "made note “The echo hides the words” (blocker) on mix 1, from 0:02.000 to 0:03.000"),
        ("made a note, frames 96000 to 96001", "made a note, at 0:02.000"),
        ("evaluated the gate from PRE_PRODUCTION to RECORDING: every condition holds",
         "evaluated the gate from pre-production to recording: every condition holds"),
        ("entered DELIVERED, cycle 1", "entered delivered, cycle 1"),
        ("registered the work Home by pty-artist", "registered the work Home by Ana"),
    ],
)  # fmt: skip
def test_ids_and_codes_are_said_as_what_they_stand_for(what: str, expected: str) -> None:
    """Notes by their words, takes by their track, people by their names, frames as times."""
    assert Teller(SONG, {"pty-artist": "Ana"})(what) == expected


@pytest.mark.parametrize("what", ["created the song MIXING", "found nt-99", "pty-artist-2 came", "moved TO WORK"])
def test_what_is_not_known_stays_as_it_is(what: str) -> None:
    """Neither somebody's title nor a longer id is touched."""
    assert Teller(SONG, {"pty-artist": "Ana"})(what) == what


def test_a_long_note_is_quoted_in_part() -> None:
    """With an ellipsis, within the limit."""
    told = Teller(SONG, {})("verified note nt-2")

    assert told.endswith("…”")
    assert len(told) == len("verified note ") + QUOTE_CHARS + 2


@pytest.mark.parametrize("sequence", [1, 7, CHAPTER_FACTS, CHAPTER_FACTS + 1, 5 * CHAPTER_FACTS + 3])
def test_chapters_cover_a_story_once(sequence: int):
    """From the newest back to the first fact and forward again: every fact in one chapter, none twice."""
    back = [bounds(sequence)]
    while back[-1].earlier:
        back.append(bounds(sequence, back[-1].earlier))
    covered = [fact for one in reversed(back) for fact in range(one.first, one.last + 1)]
    assert covered == list(range(1, sequence + 1))
    forward = back[-1]
    while forward.later > 0:
        after = bounds(sequence, forward.later)
        assert after.first == forward.last + 1
        forward = after
    assert (forward.later == -1) == (len(back) > 1)
