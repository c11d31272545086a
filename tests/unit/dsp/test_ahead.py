"""Blocks made ahead: the same blocks in the same order, errors in their place, and nothing runs on afterwards."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from tapelog_dsp import ahead


def counted(stop: int, made: list[int]) -> Iterator[int]:
    """Give the numbers up to a stop, and note which were made."""
    for number in range(stop):
        made.append(number)
        yield number


@pytest.mark.parametrize("threads", [1, 2])
def test_the_blocks_are_those_of_the_iterator(threads: int):
    """One thread or two: the same blocks in order."""
    assert list(ahead(counted(50, []), threads=threads)) == list(range(50))


def test_no_more_than_two_blocks_are_made_before_they_are_wanted():
    """What is in front is bounded, so memory is."""
    made: list[int] = []
    with closing(ahead(counted(50, made))) as blocks:
        assert next(blocks) == 0
        assert len(made) <= 3
    assert len(made) <= 3


def test_an_error_comes_in_its_place_and_a_close_ends_the_thread():
    """The blocks before an error are given, then it is raised; after a close nothing of the iterator runs."""

    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("block 2 is damaged")

    blocks = ahead(failing())
    assert next(blocks) == 1
    with pytest.raises(ValueError, match="block 2"):
        next(blocks)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
