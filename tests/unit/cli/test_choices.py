from typing import Any, get_args

import pytest
from tapelog.session.v1 import brief_pb2
from tapelog.session.v1 import resources_pb2 as res
from tapelog_cli.errors import UsageError
from tapelog_cli.typed import choices

ENUMS = ("Role", "Stage", "SendBackReason", "NoteSeverity", "NoteCategory", "NoteThread", "NoteState", "DecisionKind",
         "TakeCheckKind", "ReferenceAspect", "StudioSessionType")  # fmt: skip


@pytest.mark.parametrize("name", ENUMS)
def test_the_words_are_those_of_the_protos(name: str) -> None:
    """What help and completion offer is what the services know, all of it and in its order."""
    enum: Any = getattr(brief_pb2 if hasattr(brief_pb2, name) else res, name)

    assert choices.words_of(enum) == get_args(getattr(choices, name))
    assert [choices.value_of(enum, word) for word in choices.words_of(enum)] == [n for n in enum.values() if n]


def test_no_word_is_no_choice() -> None:
    """An option that was not given asks for nothing."""
    assert (choices.value_of(res.Stage, None), choices.value_of(res.Stage, "")) == (0, 0)


def test_a_wrong_word_is_told_with_the_right_ones() -> None:
    """The message has the word and what it should be one of."""
    with pytest.raises(UsageError) as refused:
        choices.value_of(res.Role, "tea-maker")

    assert "'tea-maker' is no role" in str(refused.value)
    assert "mixing-engineer" in refused.value.hint
    with pytest.raises(UsageError) as misspelt:
        choices.value_of(res.Role, "mixing-enginer")
    assert misspelt.value.hint == "did you mean 'mixing-engineer'?"
