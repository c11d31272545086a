"""The story of a song, and the comparison of its versions."""

from typing import Any

import pytest
from tapelog.common.v1 import recipe_pb2
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_recipe import recipe_digest, resolved
from tapelog_recipe.difference import Change, diff_recipes
from tapelog_session.domain import story
from tapelog_session.domain.evolve import ON
from tapelog_session.domain.versioning.version_diff import diff_sound, match_gains_db
from tapelog_session.domain.versioning.versions import MASTER, MIX

DELAY = recipe_pb2.Processor(delay=recipe_pb2.Delay(time_ms=300))
EQ = recipe_pb2.Processor(eq=recipe_pb2.Equalizer(bands=[recipe_pb2.EqBand(frequency_hz=3000, gain_db=2)]))


def test_every_event_of_a_song_is_told() -> None:
    """None is without a teller, and an empty one can be told: an audit has no holes."""
    assert set(story.TELLERS) == set(ON)
    for event in ON:
        if "kind" not in event.DESCRIPTOR.fields_by_name:
            what, _ = story.tell(event())
            assert what


def test_a_whole_song_reads_as_a_story(session: Any) -> None:
    """What was done to each version stands in it in order, in words."""
    session.to_delivered()
    told = [story.tell(event)[0] for event, _ in session.events]
    wanted = [
        "created the song Lights Out at 48000 Hz, 24 bits",
        "agreed to brief revision 1",
        "opened the gate to RECORDING",
        "proposed mix 1",
        "rendered mix 1",
        "approved mix 1 under brief revision 1",
        "completed the approvals of mix 1",
        "proposed master 1 of mix 1",
        "built delivery dlv-1",
        "entered DELIVERED, cycle 1",
    ]
    places = [told.index(line) for line in wanted]
    assert places == sorted(places)


def test_long_words_are_cut_and_say_so() -> None:
    """A rationale of two pages does not fill the story."""
    _, why = story.tell(story.pb.SongCancelled(reason="x" * 1000))
    assert (len(why), why[-1]) == (story.TEXT_CHARS_MAX + 1, "…")


def test_recipes_are_compared_by_ids_and_places(recipe_of: Any) -> None:
    """A changed fader, an added insert, a track that is gone, another kind of insert: each with its path."""
    before, after = recipe_of(EQ), recipe_of(EQ, DELAY)
    after.tracks[0].gain_db = -1.5
    after.tracks[0].chain[0].eq.bands[0].gain_db = 3
    del after.tracks[1]
    assert list(diff_recipes(before, after)) == [
        Change("tracks[lead-vox].gain_db", "0", "-1.5"),
        Change("tracks[lead-vox].chain[0].eq.bands[0].gain_db", "2", "3"),
        Change("tracks[lead-vox].chain[1]", "", "delay { time_ms: 300.0 }"),
        Change("tracks[drums]", f'id: "drums" source {{ asset_sha256: "{before.tracks[1].source.asset_sha256}" }}', ""),
    ]
    swapped = recipe_of(DELAY)
    paths = [change.path for change in diff_recipes(recipe_of(EQ), swapped)]
    assert paths == ["tracks[lead-vox].chain[0].eq", "tracks[lead-vox].chain[0].delay"]


def test_equal_recipes_have_no_difference_and_other_ones_do(recipe_of: Any) -> None:
    """The comparison agrees with the digest that approvals are bound to."""
    spelled = recipe_pb2.Processor(delay=recipe_pb2.Delay(time_ms=300, mix=0.25))
    variants = [recipe_of(spelled), recipe_of(), recipe_of(EQ), recipe_of(DELAY), recipe_of(EQ, DELAY), recipe_of()]
    for one in variants:
        for other in variants:
            same = recipe_digest(one) == recipe_digest(other)
            assert (not list(diff_recipes(resolved(one), resolved(other)))) == same


@pytest.mark.parametrize("kind", [MIX, MASTER])
def test_sound_is_compared_value_by_value(session: Any, kind: int) -> None:
    """Both values of each measurement; gains that make them equally loud, the quieter one untouched."""
    if kind == MIX:
        session.to_mixing()
        for number, lufs in ((1, -12.5), (2, -15.25)):
            session.mix()
            session.render(MIX, number, integrated_lufs=lufs)
    else:
        session.to_mastering()
        for lufs in (-12.5, -15.25):
            session.master(integrated_lufs=lufs)
    first, second = session.song.versions(kind)[1], session.song.versions(kind)[2]
    sound = {name: (was, now) for name, _, was, now in diff_sound(first, second)}
    assert sound["integrated_lufs"] == (-12.5, -15.25)
    assert sound["true_peak_dbtp"] == (-1.0, -1.0)
    gains = match_gains_db(first, second)
    assert gains == (-2.75, 0.0)
    unrendered = pb.VERSION_STATE_PROPOSED
    assert unrendered not in (first.state, second.state)
