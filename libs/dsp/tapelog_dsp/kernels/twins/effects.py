"""Twins of ``effects.c``."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s, Int64s
from tapelog_dsp.kernels.effects import DelayMemory, DelaySettings, PlateMemory, PlateSettings

L_SWING, L_FAR, L_DIFF, L_NEAR, R_SWING, R_FAR, R_DIFF, R_NEAR, PRE = range(4, 13)
TAP_LINES = (
    (R_FAR, R_FAR, R_DIFF, R_NEAR, L_FAR, L_DIFF, L_NEAR),
    (L_FAR, L_FAR, L_DIFF, L_NEAR, R_FAR, R_DIFF, R_NEAR),
)
TAP_SIGNS = (1.0, 1.0, -1.0, 1.0, -1.0, -1.0, -1.0)


def delay(settings: DelaySettings, memory: DelayMemory, samples: Float64s) -> Float64s:
    """Return the samples with echoes, one sample at a time."""
    result = np.empty_like(samples)
    length = memory.ring.shape[1]
    if settings.ping_pong:
        return _ping_pong(settings, memory, samples)
    for channel, row in enumerate(samples.tolist()):
        low, high = memory.filters[channel].tolist()
        for n, x in enumerate(row):
            at = (memory.clock + n) % length
            low += settings.lowpass * (float(memory.ring[channel, at]) - low)
            high += settings.highpass * (low - high)
            echo = low - high
            memory.ring[channel, at] = x + echo * settings.feedback
            result[channel, n] = x * settings.dry + echo * settings.wet
        memory.filters[channel] = low, high
    memory.clock = (memory.clock + samples.shape[1]) % length
    return result


def _ping_pong(settings: DelaySettings, memory: DelayMemory, samples: Float64s) -> Float64s:
    result = np.empty_like(samples)
    length, filters = memory.ring.shape[1], memory.filters
    for n, (a, b) in enumerate(samples.T.tolist()):
        at = (memory.clock + n) % length
        echoes = []
        for side in (0, 1):
            filters[side, 0] += settings.lowpass * (memory.ring[side, at] - filters[side, 0])
            filters[side, 1] += settings.highpass * (filters[side, 0] - filters[side, 1])
            echoes.append(float(filters[side, 0] - filters[side, 1]))
        memory.ring[0, at] = 0.5 * (a + b) + echoes[1] * settings.feedback
        memory.ring[1, at] = echoes[0] * settings.feedback
        result[0, n] = a * settings.dry + echoes[0] * settings.wet
        result[1, n] = b * settings.dry + echoes[1] * settings.wet
    memory.clock = (memory.clock + samples.shape[1]) % length
    return result


def _glided(head: float, frames: float) -> float:
    return head + max(-0.5, min(0.5, frames - head))


def room(
    ends: tuple[Float64s, Float64s], place: tuple[int, int], lengths: Int64s, samples: Float64s, predelay: float
) -> Float64s:
    """Return the room of a signal that starts from silence, with a list for every line."""
    lines = [[0.0] * length for length in lengths.tolist()]
    early = [0.0] * int(lengths[12])
    low, damped, head = 0.0, [0.0] * 8, predelay
    result = np.empty_like(samples)
    for n in range(samples.shape[1]):
        way = float(place[0] + n) / float(place[1])
        lowcut, damping, wet, dry, *decays, frames = (ends[0] + (ends[1] - ends[0]) * way).tolist()
        head = _glided(head, frames)
        left, right = float(samples[0, n]), float(samples[-1, n])
        early.append(0.5 * (left + right))
        near, far = early[-1 - int(head)], early[-2 - int(head)]
        value = near + (head - float(int(head))) * (far - near)
        low += lowcut * (value - low)
        value -= low
        for k in range(4):
            late = lines[k].pop(0)
            entering = value - 0.625 * late
            lines[k].append(entering)
            value = late + 0.625 * entering
        out, total = [], 0.0
        for k in range(8):
            damped[k] += damping * (lines[4 + k].pop(0) - damped[k])
            out.append(damped[k] * decays[k])
            total += out[k]
        for k in range(8):
            lines[4 + k].append(value + (out[k] - 0.25 * total))
        sides = [((out[s] - out[2 + s]) + (out[4 + s] - out[6 + s])) * 0.5 for s in (0, 1)]
        for channel, dry_value in ((0, left), (samples.shape[0] - 1, right))[: samples.shape[0]]:
            result[channel, n] = dry_value * dry + sides[channel] * wet
    return result


class _Line:
    """A delay line; ``back`` counts from the next place to be written."""

    def __init__(self, length: int) -> None:
        self.values = [0.0] * length
        self.at = 0

    def read(self, back: int) -> float:
        return self.values[(self.at - back) % len(self.values)]

    def write(self, x: float) -> None:
        self.values[self.at] = x
        self.at = (self.at + 1) % len(self.values)

    def diffuse(self, gain: float, delayed: float, x: float) -> float:
        entering = x - gain * delayed
        self.write(entering)
        return delayed + gain * entering

    def swing(self, back: float) -> float:
        whole = int(back)
        near, far = self.read(whole), self.read(whole + 1)
        return near + (back - float(whole)) * (far - near)


class Plate:
    """The plate for a whole clip from rest.

    Parameters
    ----------
    settings : PlateSettings
    ends, place : tuple
        As for the kernel.
    """

    def __init__(self, settings: PlateSettings, ends: tuple[Float64s, Float64s], place: tuple[int, int]) -> None:
        self._ends, self._cell = ends, place
        self._p: dict[str, float] = {}
        self._delays: list[int] = settings.delays.tolist()
        self._taps: list[list[int]] = settings.taps.tolist()
        self._lines = [_Line(length) for length in settings.lengths.tolist()]
        self._poles: list[float] = PlateMemory.at_rest(settings, float(ends[0][9])).poles.tolist()

    def _move(self, n: int) -> None:
        way = float(self._cell[0] + n) / float(self._cell[1])
        numbers = (self._ends[0] + (self._ends[1] - self._ends[0]) * way).tolist()
        names = ("band", "lowcut", "decay", "damping", "excursion", "cosine", "sine", "wet", "dry", "predelay")
        self._p = dict(zip(names, numbers, strict=True))
        self._poles[8] = _glided(self._poles[8], self._p["predelay"])

    def _smooth(self, pole: int, factor: float, x: float) -> float:
        self._poles[pole] += factor * (x - self._poles[pole])
        return self._poles[pole]

    def _tank(self, first: int, swing: float, damp: int, x: float) -> float:
        lines, delays = self._lines, self._delays
        spread = lines[first].diffuse(-0.70, lines[first].swing(float(delays[first]) + swing), x)
        late = lines[first + 1].read(delays[first + 1])
        lines[first + 1].write(spread)
        damped = self._smooth(damp, self._p["damping"], late) * self._p["decay"]
        dense = lines[first + 2].diffuse(0.50, lines[first + 2].read(delays[first + 2]), damped)
        out = lines[first + 3].read(delays[first + 3])
        lines[first + 3].write(dense)
        return out * self._p["decay"]

    def _frame(self, left: float, right: float) -> tuple[float, float]:
        p, lines, delays, poles = self._p, self._lines, self._delays, self._poles
        x = 0.5 * (left + right)
        lines[PRE].write(x)
        x = self._smooth(0, p["band"], lines[PRE].swing(1.0 + poles[8]))
        x -= self._smooth(1, p["lowcut"], x)
        for line, gain in enumerate((0.75, 0.75, 0.625, 0.625)):
            x = lines[line].diffuse(gain, lines[line].read(delays[line]), x)
        cosine = poles[6] * p["cosine"] - poles[7] * p["sine"]
        poles[7] = poles[6] * p["sine"] + poles[7] * p["cosine"]
        poles[6] = cosine
        from_left, from_right = poles[4], poles[5]
        poles[4] = self._tank(L_SWING, p["excursion"] * poles[7], 2, x + from_right)
        poles[5] = self._tank(R_SWING, p["excursion"] * cosine, 3, x + from_left)
        outputs = []
        for side in (0, 1):
            total = 0.0
            for sign, line, tap in zip(TAP_SIGNS, TAP_LINES[side], self._taps[side], strict=True):
                total += sign * lines[line].read(tap)
            outputs.append(0.6 * total)
        return left * p["dry"] + outputs[0] * p["wet"], right * p["dry"] + outputs[1] * p["wet"]

    def process(self, samples: Float64s) -> Float64s:
        """Return the reverberated ``[2, frames]``."""
        frames = []
        for n, (left, right) in enumerate(samples.T.tolist()):
            self._move(n)
            frames.append(self._frame(left, right))
        return np.array(frames).T.copy()
