"""One song under thousands of random commands: after each of them the live state is the fold of the log so far."""

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest
from google.protobuf.message import Message
from tapelog.session.v1 import resources_pb2 as pb
from tapelog_session.application.aggregates import EVENTS
from tapelog_session.application.reading.resources import song_resource
from tapelog_session.application.song_snapshot import SongCodec
from tapelog_session.domain.evolve import evolve
from tapelog_session.domain.permissions import STAGES
from tapelog_session.domain.song import Song
from tapelog_session.domain.versioning.versions import MASTER, MIX

from .test_song_machine import TRACKS, SongMachine

SEED: Final = 20_261
KINDS: Final = (MIX, MASTER)
RESOURCE_EVERY: Final = 50
"""Commands between two looks at the song as callers read it, and between two snapshots."""


class LongLife(SongMachine):
    """The machine's commands, drawn by a seeded generator; every event is folded a second time, from its bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.fold = Song()
        self.folded = 0
        self.commands = 0
        self.refused = 0

    def do(self, decide: Callable[..., Sequence[Message]], *args: Any, **kwargs: Any) -> None:
        """Send a command; whatever is no refusal of the domain ends the test, as it would end the call in INTERNAL."""
        before = self.folded
        super().do(decide, *args, **kwargs)
        self.answers.clear()
        self.commands += 1
        self.runner.run(self._fold_on())
        self.refused += self.folded == before
        assert self.fold == self.song
        if self.commands % RESOURCE_EVERY == 0:
            self._read()

    async def _fold_on(self) -> None:
        """Fold what is new in the log, event by event."""
        for stored in await self.log.load(self.aggregate, after_sequence=self.folded):
            assert stored.sequence == self.folded + 1
            self.fold = evolve(self.fold, EVENTS.decode(stored), stored.time)
            self.folded = stored.sequence

    def _read(self) -> None:
        """Read the song as callers do, and through a snapshot."""
        versioned = self.runner.run(self.aggregates.songs.load(self.aggregate))
        assert song_resource(versioned).sequence == self.folded
        codec = SongCodec()
        assert codec.decode(codec.encode(self.song)) == self.fold


def _drawn(rng: random.Random, machine: LongLife) -> None:
    """Draw one of the machine's rules, and its arguments."""
    number, kind, track = rng.randint(1, 1 + len(machine.song.mixes)), rng.choice(KINDS), rng.choice(TRACKS)
    takes, stages = rng.randint(1, 5), rng.choice([*STAGES, *pb.Stage.values(), 77])
    party, anybody = rng.choice(["ana", "pia"]), rng.choice(["ana", "mia"])
    is_usual = rng.random() < 0.8
    draws: list[tuple[int, Callable[[], None]]] = [
        (8, machine.work_well),
        (
            6,
            lambda: machine.talk(rng.randint(1, 1 + len(machine.song.notes)), rng.choice([1, 2, 3]), rng.randint(0, 5)),
        ),
        (4, lambda: machine.propose_mix("mia" if is_usual else "pia", not is_usual)),
        (4, lambda: machine.render(kind, number, -1.0 if is_usual else -0.5, int(not is_usual))),
        (4, lambda: machine.approve(kind, number, party, is_usual, rng.choice([0, 0, 1, machine.song.brief_revision]))),
        (3, lambda: machine.take(track, takes, required=False)),
        (3, lambda: machine.check_and_select(track, takes, 0 if is_usual else 5)),
        (3, lambda: machine.handle_take(track, takes, rng.randint(0, 3))),
        (2, machine.consent),
        (2, machine.propose_master),
        (2, machine.advance),
        (2, lambda: machine.jump(stages)),
        (2, lambda: machine.disagree(rng.randint(0, 6), anybody, is_usual)),
        (2, lambda: machine.alternates(number, rng.choice(["tv", "instrumental"]), is_usual)),
        (1, lambda: machine.send_back(rng.choice(STAGES), is_usual)),
        (1, lambda: machine.request_changes(kind, number, not is_usual)),
        (1, lambda: machine.withdraw(kind, number, party)),
        (1, lambda: machine.agree(party, rng.randint(0, 3))),
        (1, lambda: machine.propose_brief({"peak"} if is_usual else {"no-delay"}, "softer")),
        (1, lambda: machine.adopt(not is_usual, rng.randint(0, 2), rng.randint(0, 1))),
        (1, machine.precheck),
        (1, lambda: machine.rest(goes_on=True, ends=1)),
    ]
    rng.choices([draw for _, draw in draws], [weight for weight, _ in draws])[0]()


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=[pytest.mark.nightly, pytest.mark.timeout(1800)])])
def test_the_fold_of_every_prefix_is_the_live_state(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    """After each of many random commands the fold of the log equals the live state; nothing is INTERNAL."""
    rng, machine = random.Random(SEED), LongLife()
    try:
        machine.create()
        while machine.commands < count:
            _drawn(rng, machine)
            for holds in (
                machine.at_most_one_approved_and_only_by_bound_approvals,
                machine.waivers_are_of_taste_and_by_decision,
                machine.masters_stand_on_a_living_mix,
            ):
                holds()
        with capsys.disabled():
            print(  # noqa: T201 - the figure is what the long run is for
                f"\n{machine.commands} random commands: {machine.refused} refused for a reason, none INTERNAL; "
                f"the fold of every prefix equals the live state, {machine.folded} events"
            )
        assert machine.folded > count / 4
        assert machine.refused > count / 10
    finally:
        machine.runner.close()
