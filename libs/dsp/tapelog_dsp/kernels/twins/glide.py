"""Twin of ``glide.c``."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s
from tapelog_dsp.kernels.glide import GlideMemory


def _read_back(line: Float64s, at: int, back: float) -> float:
    whole = int(back)
    t = back - float(whole)
    a, b, c, d = (float(line[(at - (whole - 1 + k)) % line.size]) for k in range(4))
    one = 0.5 * (c - a)
    two = a - 2.5 * b + 2.0 * c - 0.5 * d
    three = 0.5 * (d - a) + 1.5 * (b - c)
    return ((three * t + two) * t + one) * t + b


def glide_delay(
    start: Float64s, end: Float64s, place: tuple[int, int], memory: GlideMemory, samples: Float64s, *, ping_pong: bool
) -> Float64s:
    """Return the samples with echoes, one frame at a time."""
    result = np.empty_like(samples)
    head, at, length = float(memory.position[0]), memory.clock, memory.ring.shape[1]
    for n in range(samples.shape[1]):
        way = float(place[0] + n) / float(place[1])
        now = start + (end - start) * way
        frames, feedback, lowpass, highpass, wet, dry = now.tolist()
        head += max(-0.5, min(0.5, frames - head))
        echoes = []
        for channel, row in enumerate(samples):
            memory_of = memory.filters[channel]
            memory_of[0] += lowpass * (_read_back(memory.ring[channel], at, head) - memory_of[0])
            memory_of[1] += highpass * (memory_of[0] - memory_of[1])
            echoes.append(float(memory_of[0] - memory_of[1]))
            result[channel, n] = row[n] * dry + echoes[-1] * wet
        if ping_pong:
            memory.ring[0, at] = 0.5 * (samples[0, n] + samples[1, n]) + echoes[1] * feedback
            memory.ring[1, at] = echoes[0] * feedback
        else:
            memory.ring[:, at] = samples[:, n] + np.array(echoes) * feedback
        at = (at + 1) % length
    memory.position[0], memory.clock = head, at
    return result
