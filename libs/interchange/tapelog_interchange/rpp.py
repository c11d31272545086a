"""A Reaper project (.rpp) as a session: tracks, folders, items, faders, pans, receives, envelopes and markers.

Plug-ins of Reaper keep their settings in states of their own; they are named in the loss report.
"""

import math
from typing import Final

from tapelog_interchange.losses import Loss
from tapelog_interchange.rpp_blocks import Block, parse_rpp
from tapelog_interchange.session import Channel, Clip, Marker, Point, Role, Send, Session
from tapelog_interchange.units import finite, to_db

_PRE_FADER_MODES: Final = (1, 3)
_SQUARE: Final = 1
"""Shape of an envelope's point that keeps its value."""


def _value(words: list[str] | None, place: int, standard: float) -> float:
    value = finite(words[place]) if words is not None and len(words) > place else None
    return standard if value is None else value


class _Reader:
    def __init__(self, root: Block) -> None:
        self.root = root
        version = f"{root.words[2]}" if len(root.words) > 2 else ""
        rate = int(_value(root.line("SAMPLERATE"), 0, 0))
        self.session = Session(f"Reaper {version}".strip(), rate, _value(root.line("TEMPO"), 0, 0.0))

    def lost(self, where: str, what: str, instead: str) -> None:
        self.session.losses.append(Loss(where, what, instead))

    def run(self) -> Session:
        tracks = list(self.root.all("TRACK"))
        channels = [self.track(block, index) for index, block in enumerate(tracks)]
        self.folders(tracks, channels)
        for index, block in enumerate(tracks):
            self.receives(block, channels[index], channels)
        self.master(self.root)
        for words in self.root.lines:
            if words[0] == "MARKER" and len(words) > 3 and _value(words, 4, 0) % 2 == 0:
                self.session.markers.append(Marker(_value(words, 2, 0.0), words[3]))
        if any(True for _ in self.root.all("TEMPOENVEX")):
            points = sum(words[0] == "PT" for block in self.root.all("TEMPOENVEX") for words in block.lines)
            if points > 1:
                self.lost("transport", "a tempo that moves", "the first tempo was taken")
        self._tidy(channels)
        return self.session

    def track(self, block: Block, index: int) -> Channel:
        name = (block.line("NAME") or [""])[0] or f"track {index + 1}"
        channel = Channel(f"track-{index}", name)
        volume = block.line("VOLPAN")
        channel.gain_db = to_db(_value(volume, 0, 1.0), "linear")
        channel.pan = _value(volume, 1, 0.0)
        state = block.line("MUTESOLO")
        channel.mute, channel.solo = _value(state, 0, 0) > 0, _value(state, 1, 0) > 0
        channel.polarity_inverted = _value(block.line("IPHASE"), 0, 0) > 0
        for item in block.all("ITEM"):
            channel.clips += self.item(item, name)
        for chain in (*block.all("FXCHAIN"), *block.all("FXCHAIN_REC")):
            self.plugins(chain, name)
        self.envelopes(block, channel)
        self.session.channels.append(channel)
        return channel

    def item(self, item: Block, where: str) -> list[Clip]:
        start_s = _value(item.line("POSITION"), 0, 0.0)
        if _value(item.line("MUTE"), 0, 0) > 0:
            self.lost(where, f"a muted item at {start_s:.2f} s", "it was left out")
            return []
        sources = list(item.all("SOURCE"))
        source = sources[0] if sources else None
        offset_s = _value(item.line("SOFFS"), 0, 0.0)
        while source is not None and len(source.words) > 1 and source.words[1] == "SECTION":
            offset_s += _value(source.line("STARTPOS"), 0, 0.0)
            source = next(source.all("SOURCE"), None)
        file = None if source is None else source.line("FILE")
        if source is None or not file:
            self.lost(where, f"an item without an audio file at {start_s:.2f} s", "it was left out")
            return []
        if len(sources) > 1:
            self.lost(where, f"{len(sources)} takes in the item at {start_s:.2f} s", "the first was taken")
        rate = _value(item.line("PLAYRATE"), 0, 1.0)
        if rate != 1.0:
            self.lost(
                where, f"an item at {start_s:.2f} s played at {rate:g} times its speed", "it plays at its own speed"
            )
        if _value(item.line("LOOP"), 0, 0) > 0 and item.line("LENGTH"):
            self.lost(where, f"the item at {start_s:.2f} s may loop", "it plays once; glue it first if it repeats")
        gain_db = to_db(_value(item.line("VOLPAN"), 0, 1.0), "linear") + to_db(
            abs(_value(item.line("VOLPAN"), 2, 1.0)), "linear"
        )
        if abs(gain_db) > 0.005:
            self.lost(where, f"an item gain of {gain_db:+.2f} dB at {start_s:.2f} s", "left out; set it with the fader")
        for fade in ("FADEIN", "FADEOUT"):
            if _value(item.line(fade), 1, 0.0) > 0.02 or _value(item.line(fade), 2, 0.0) > 0.02:
                self.lost(where, f"a {fade[4:].lower()} fade of the item at {start_s:.2f} s", "it was left out")
        length = item.line("LENGTH")
        return [Clip(file[0].replace("\\", "/"), start_s, offset_s, None if length is None else _value(length, 0, 0.0))]

    def plugins(self, chain: Block, where: str) -> None:
        for block in chain.blocks:
            if block.name in ("VST", "AU", "JS", "CLAP", "LV2", "DX", "VIDEO_EFFECT"):
                name = block.words[1] if len(block.words) > 1 else block.name
                self.lost(
                    where,
                    f"the plug-in {name!r}",
                    "left out; print it into the audio, or rebuild it with an insert of ours",
                )

    def envelopes(self, block: Block, channel: Channel) -> None:
        for envelope in block.blocks:
            active = _value(envelope.line("ACT"), 0, 1) > 0
            points = [words for words in envelope.lines if words[0] == "PT"]
            if not points or not active:
                continue
            if envelope.name in ("VOLENV2", "PANENV2"):
                is_gain = envelope.name == "VOLENV2"
                moved = [self.point(words[1:], is_gain=is_gain) for words in points]
                if is_gain:  # it moves in addition to the fader
                    channel.gain = [Point(p.time_s, p.value + channel.gain_db, p.hold) for p in moved]
                else:
                    channel.pans = moved
                if any(_value(words, 3, 0) > _SQUARE for words in points):
                    self.lost(channel.name, "curved automation", "straight lines in dB were taken")
            elif envelope.name.endswith(("ENV", "ENV2")):
                self.lost(channel.name, f"the envelope {envelope.name}", "it was left out")

    @staticmethod
    def point(words: list[str], *, is_gain: bool) -> Point:
        value = _value(words, 1, 1.0 if is_gain else 0.0)
        # Reaper counts the pan of envelopes from the right.
        return Point(
            _value(words, 0, 0.0), to_db(value, "linear") if is_gain else -value, int(_value(words, 2, 0)) == _SQUARE
        )

    @staticmethod
    def folders(tracks: list[Block], channels: list[Channel]) -> None:
        """Sum the tracks of a folder into the folder's track."""
        parents: list[Channel] = []
        for block, channel in zip(tracks, channels, strict=True):
            channel.output = parents[-1].key if parents else None
            kind, depth = int(_value(block.line("ISBUS"), 0, 0)), int(_value(block.line("ISBUS"), 1, 0))
            if kind == 1:
                parents.append(channel)
                if not channel.clips:
                    channel.role = Role.BUS
            for _ in range(max(0, -depth)):
                if parents:
                    parents.pop()

    def receives(self, block: Block, channel: Channel, channels: list[Channel]) -> None:
        for words in block.lines:
            if words[0] != "AUXRECV":
                continue
            source = int(_value(words, 1, -1))
            if not 0 <= source < len(channels):
                continue
            if channel.clips:
                self.lost(
                    channel.name, f"a receive from {channels[source].name!r} on a track with audio", "it was left out"
                )
                continue
            channel.role = Role.BUS
            send = Send(
                channel.key, to_db(_value(words, 3, 1.0), "linear"), int(_value(words, 2, 0)) in _PRE_FADER_MODES
            )
            if _value(words, 5, 0) > 0:
                continue
            channels[source].sends.append(send)
        main = block.line("MAINSEND")
        if main is not None and _value(main, 0, 1) == 0:
            self.lost(
                channel.name, "its main output is off", "it sounds through the mix bus; mute it, or send it pre-fader"
            )

    def master(self, root: Block) -> None:
        volume = root.line("MASTER_VOLUME")
        gain_db = to_db(_value(volume, 0, 1.0), "linear")
        self.session.channels.append(Channel("master", "master", Role.MASTER, gain_db))
        for chain in root.all("MASTERFXLIST"):
            self.plugins(chain, "master")

    def _tidy(self, channels: list[Channel]) -> None:
        parents = {channel.output for channel in channels}
        for channel in channels:
            if channel.role is Role.TRACK and channel.key in parents and channel.clips:
                self.lost(channel.name, "a folder with items of its own", "its children go to the mix bus")
        tracks_only = {channel.key for channel in channels if channel.role is Role.TRACK and len(channel.clips) < 2}
        for channel in channels:
            channel.output = None if channel.output in tracks_only else channel.output
            if not math.isfinite(channel.pan):
                channel.pan = 0.0


def read_rpp(body: bytes, name: str) -> Session:
    """Read a Reaper project.

    Parameters
    ----------
    body : bytes
        Content of the .rpp.
    name : str
        How errors call it.

    Returns
    -------
    Session
        The names of its clips' files are as Reaper stored them: relative to the project, or absolute.

    Raises
    ------
    RefusedError
        ``RPP_REFUSED``.
    """
    return _Reader(parse_rpp(body, name)).run()
