"""What of a mix is taken from kept sums, and what has to run.

From the mix node backwards: a sum that is kept needs none of its strips. One that differs from a kept one by a few
parts needs the strips of these parts: the new ones, and the old ones with inverted polarity, whose exact negative takes
them out of the kept sum. Everything else is summed anew, from strips of which the same is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tapelog_dsp.graph.plan import Edge
from tapelog_dsp.graph.spec import MIX

from tapelog_desk.nodes.keys import MixKeys, Part
from tapelog_desk.nodes.store import NodeStore
from tapelog_desk.nodes.sums import OutReader, SumReader
from tapelog_desk.nodes.versions import OldPart, OldSum, Version

PARTS_MIN: Final = 3
"""A sum of fewer is made as quickly as its recording is read."""

CHANGES_MAX: Final = 16
"""Parts by which a kept sum may differ: two groups of eight, which run side by side."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A strip of an earlier mix that runs again, with inverted polarity.

    Attributes
    ----------
    version : Version
        The mix.
    strip : str
        Its name there.
    ways : tuple of (int, str)
        Its ways that are wanted, as `OldPart.way` counts them, and the bus of the present mix that each goes to.
    kept : SumReader or OutReader, optional
        For a bus: what went into it, or, so that it need not run, what it handed on.
    """

    version: Version
    strip: str
    ways: tuple[tuple[int, str], ...]
    kept: SumReader | OutReader | None


@dataclass(slots=True)
class Decision:
    """What a mix does.

    Attributes
    ----------
    strips : set of str
        What runs.
    edges : set of Edge
        The ways that are summed.
    beds : dict of str to SumReader
        Kept sums, by the bus that they go into.
    fresh : set of str
        Buses, or `MIX`, whose sum is made anew of all its parts.
    """

    strips: set[str] = field(default_factory=set)
    edges: set[Edge] = field(default_factory=set)
    beds: dict[str, SumReader] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    _taken: dict[tuple[int, str], tuple[Version, SumReader | OutReader | None, list[tuple[int, str]]]] = field(
        default_factory=dict
    )

    def take(self, version: Version, part: OldPart, target: str, kept: SumReader | OutReader | None) -> None:
        """Take an old part out of a sum."""
        entry = self._taken.setdefault((id(version), part.strip), (version, kept, []))
        entry[2].append((part.way, target))

    def knows(self, version: Version, strip: str) -> bool:
        """Tell whether an old strip runs already."""
        return (id(version), strip) in self._taken

    def has_main(self, version: Version, strip: str) -> bool:
        """Tell whether an old strip is taken out by its main way."""
        return any(way == 0 for way, _ in self._taken[id(version), strip][2])

    @property
    def taken(self) -> list[Taken]:
        """The old strips that run again."""
        return [Taken(version, strip, tuple(ways), kept) for (_, strip), (version, kept, ways) in self._taken.items()]


class Reuse:
    """Decides what a mix takes from a store.

    Parameters
    ----------
    keys : MixKeys
        Of the present mix.
    store : NodeStore
        What is kept.
    versions : sequence of Version
        Earlier mixes, the last one first.
    sources : set of str
        SHA-256 of the recordings that are there.
    """

    def __init__(self, keys: MixKeys, store: NodeStore, versions: Sequence[Version], sources: set[str]) -> None:
        self._keys = keys
        self._store = store
        self._versions = versions
        self._sources = sources
        self._buses = {bus.id for bus in keys.wiring.buses}
        self._names = set(keys.wiring.order)
        self._old_strips: dict[int, Mapping[str, str]] = {}
        self._changes: set[str] = set()
        self._readers: dict[str, SumReader | None] = {}
        self._outs: dict[str, OutReader | None] = {}
        self.decision = Decision()
        self._need(MIX)

    def is_kept(self, target: str) -> bool:
        """Tell whether the sum into a bus is one that is kept at all."""
        return target not in self._keys.late and len(self._keys.parts(target)) >= PARTS_MIN

    @property
    def settled(self) -> list[str]:
        """The buses, and `MIX`, whose sum is kept or can be: it is made anew, and nothing behind it is a change.

        What differs by a few parts from what is kept is not kept too: it costs little to make again.
        """
        found = []
        for target in (*self._buses, MIX):
            known = target in self.decision.beds or target in self.decision.fresh
            if known and self.is_kept(target) and not self._changes.intersection(self._behind(target)):
                found.append(target)
        return found

    def _behind(self, target: str) -> set[str]:
        """Return a bus and all the buses that feed it and have run."""
        found, waiting = {target}, [target]
        while waiting:
            for edge in self.decision.edges:
                if edge.target == waiting[0] and edge.source not in found:
                    found.add(edge.source)
                    waiting.append(edge.source)
            del waiting[0]
        return found

    def _open(self, key: str) -> SumReader | None:
        """Return the reader of a kept sum; the same for all that lie on it."""
        if key not in self._readers:
            self._readers[key] = self._store.open_sum(key)
        return self._readers[key]

    def close(self) -> None:
        """Close what was opened."""
        for reader in (*self._readers.values(), *self._outs.values()):
            if reader is not None:
                reader.close()

    def _need(self, target: str) -> None:
        """Settle how the input of a bus is come by."""
        parts = self._keys.parts(target)
        if self.is_kept(target):
            bed = self._open(self._keys.sum_of([part.digest for part in parts]))
            if bed is not None:
                self.decision.beds[target] = bed
                return
            added = self._changed(target, parts)
            if added is not None:
                parts = added
            else:
                self.decision.fresh.add(target)
        for part in parts:
            self.decision.edges.add(part.edge)
            self._run(part.edge.source)

    def _run(self, name: str) -> None:
        if name in self.decision.strips:
            return
        self.decision.strips.add(name)
        for edge in self._keys.listening.get(name, ()):
            self._run(edge.source)
        if name in self._buses:
            self._need(name)

    def _changed(self, target: str, parts: Sequence[Part]) -> list[Part] | None:
        """Lay a kept sum that differs little, take out of it what is too much, and return what it lacks."""
        wanted = {part.digest: part for part in parts}
        if len(wanted) < len(parts):
            return None  # of two equal parts one could not be told from the other
        near: list[tuple[int, int, Version, OldSum]] = []
        for age, version in enumerate(self._versions):
            for old in version.sums.values():
                common = len(old.parts.keys() & wanted.keys())
                surplus, lack = len(old.parts) - common, len(parts) - common
                # Taking out must be less work than making what both have in common.
                if surplus < common and surplus + lack <= CHANGES_MAX:
                    near.append((surplus + lack, age, version, old))
        for _, _, version, old in sorted(near, key=lambda entry: entry[:2]):
            if self._lay(target, version, old, [old.parts[digest] for digest in old.parts.keys() - wanted.keys()]):
                return [wanted[digest] for digest in wanted.keys() - old.parts.keys()]
        return None

    def _lay(self, target: str, version: Version, old: OldSum, surplus: list[OldPart]) -> bool:
        """Use a kept sum, if all that is too much in it can be made again."""
        again: dict[str, SumReader | OutReader | None] = {}
        bed = self._open(old.key)
        ready = bed is not None
        for part in surplus:
            if ready and self.decision.knows(version, part.strip):
                # Its main way goes to one bus only.
                ready = part.way > 0 or not self.decision.has_main(version, part.strip)
            elif ready and part.strip not in again:
                ready = self._can_play(version, part.strip, again) or (
                    self._hears(part) and self._can_run(version, part.strip, again)
                )
        if bed is None or not ready:
            return False
        self.decision.beds[target] = bed
        self._changes.add(target)
        for part in surplus:
            kept = again.get(part.strip)
            self.decision.take(version, part, target, kept)
            for name in () if isinstance(kept, OutReader) else part.listens:
                self._run(name)
        return True

    def _hears(self, part: OldPart) -> bool:
        """Tell whether the strips that an old one listened to are there, and as they were."""
        return all(name in self._names and self._keys.strip(name) == digest for name, digest in part.listens.items())

    def _can_play(self, version: Version, strip: str, again: dict[str, SumReader | OutReader | None]) -> bool:
        """Tell whether what an old bus has handed on is kept; pre-fader sends are not in it."""
        key = version.outs.get(strip)
        if key is None or self._keys.covered_frames > self._keys.length_frames:
            return False
        if any(send.pre_fader for bus in version.mix_recipe().buses if bus.id == strip for send in bus.sends):
            return False
        if key not in self._outs:
            self._outs[key] = self._store.open_out(key)
        again[strip] = self._outs[key]
        return again[strip] is not None

    def _can_run(self, version: Version, strip: str, again: dict[str, SumReader | OutReader | None]) -> bool:
        """Tell whether an old strip can run again: its recording is there, or what went into it is kept."""
        recordings = self._recordings(version)
        if strip in recordings:
            again[strip] = None
            return recordings[strip] in self._sources
        if strip not in version.sums:
            return False
        again[strip] = self._open(version.sums[strip].key)
        return again[strip] is not None

    def _recordings(self, version: Version) -> Mapping[str, str]:
        if id(version) not in self._old_strips:
            recipe = version.mix_recipe()
            self._old_strips[id(version)] = {track.id: track.source.asset_sha256 for track in recipe.tracks}
        return self._old_strips[id(version)]
