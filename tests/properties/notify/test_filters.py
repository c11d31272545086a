"""For any filter and any event: the broker's subjects let through whatever the filter does."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tapelog_chassis.topology import pub_subject
from tapelog_notify.adapters.subjects import SUBJECTS_MAX, is_exact, public_subjects
from tapelog_notify.domain.catalogue import EVENT_TYPES
from tapelog_notify.domain.event_filter import EventFilter
from tapelog_notify.domain.threads import NOTE_TYPES, Thread

ids = st.sampled_from(["p1", "p2", "prj-1", "sng-1", "s2"])
types = st.sampled_from(sorted(EVENT_TYPES))
prefixes = st.builds(lambda type_, length: type_[:length] + "*", types, st.integers(0, 40))
patterns = st.lists(st.one_of(types, prefixes), max_size=4)
filters = st.builds(
    lambda projects, songs, wanted, thread: EventFilter.of(projects=projects, songs=songs, types=wanted, thread=thread),
    st.lists(ids, max_size=3),
    st.lists(ids, max_size=3),
    patterns,
    st.sampled_from([None, *Thread]),
)


def is_on(subject: str, pattern: str) -> bool:
    """Match as the broker does: token by token, `*` is any one token."""
    ours, theirs = subject.split("."), pattern.split(".")
    return len(ours) == len(theirs) and all(b in {"*", a} for a, b in zip(ours, theirs, strict=True))


@settings(max_examples=300, deadline=None)
@given(
    wanted=filters,
    type_=st.one_of(types, st.sampled_from(sorted(NOTE_TYPES))),
    project=st.one_of(st.just(""), ids),
    song=st.one_of(st.just(""), ids),
    of_thread=st.sampled_from(Thread),
)
def test_subjects_let_through_what_the_filter_does(
    wanted: EventFilter, type_: str, project: str, song: str, of_thread: Thread
) -> None:
    """Never less than the filter, and exactly it where the subjects say so."""
    thread = of_thread if type_ in NOTE_TYPES else None
    audience = "client" if thread is Thread.CLIENT else ""
    subjects = public_subjects("acme", wanted)
    assert len(subjects) == len(set(subjects)) <= SUBJECTS_MAX
    lets_through = sum(
        is_on(pub_subject("acme", project, song, type_, audience=audience), pattern) for pattern in subjects
    )
    matches = wanted.matches(type_=type_, project=project, song=song, thread=thread)
    # The broker refuses consumers whose filters overlap: one subject at most may fit.
    assert lets_through <= 1
    assert lets_through >= matches
    if is_exact(wanted):
        assert lets_through == matches
    assert not any(is_on(pub_subject("zeta", project, song, type_), pattern) for pattern in subjects)
