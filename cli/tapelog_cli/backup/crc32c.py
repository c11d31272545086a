"""
CRC-32C of large blocks, many bytes at a time.

Source: RFC 3720 appendix B.4 (polynomial 0x1EDC6F41, reflected 0x82F63B78); lanes are put together by the linearity of
the code (Mark Adler's `crc32_combine` of zlib): the CRC of what is followed by n bytes of zero is a matrix over GF(2).
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

POLYNOMIAL: Final = 0x82F63B78
LANE_BYTES: Final = 512
"""Bytes that are worked through one after another; the lanes of a block go side by side."""

Words = npt.NDArray[np.uint32]


@cache
def _table() -> Words:
    """Return what each byte adds."""
    table: Words = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> np.uint32(1)) ^ (table & np.uint32(1)) * np.uint32(POLYNOMIAL)
    return table


def _step(states: Words, column: npt.NDArray[np.uint8]) -> Words:
    """Take one more byte into each state."""
    stepped: Words = _table()[(states ^ column) & 0xFF] ^ (states >> 8)
    return stepped


@cache
def _over_a_lane() -> Words:
    """Return, for each of a state's four bytes and each of its values, what is left of it behind a lane of zeros."""
    values = np.arange(256, dtype=np.uint32)
    zeros = np.zeros(256, dtype=np.uint8)
    tables = []
    for place in range(4):
        states = values << np.uint32(8 * place)
        for _ in range(LANE_BYTES):
            states = _step(states, zeros)
        tables.append(states)
    return np.stack(tables)


def crc32c(content: bytes) -> int:
    """Return the CRC-32C of some bytes."""
    rest = len(content) % LANE_BYTES
    state = 0xFFFFFFFF
    table = _table()
    for byte in content[:rest]:
        state = int(table[(state ^ byte) & 0xFF]) ^ (state >> 8)
    if len(content) > rest:
        lanes = np.frombuffer(content, dtype=np.uint8, offset=rest).reshape(-1, LANE_BYTES).T.copy()
        states = np.zeros(lanes.shape[1], dtype=np.uint32)
        for column in lanes:
            states = _step(states, column)
        over = _over_a_lane()
        for lane in states.tolist():
            state = (
                int(over[0, state & 0xFF] ^ over[1, state >> 8 & 0xFF] ^ over[2, state >> 16 & 0xFF])
                ^ int(over[3, state >> 24])
                ^ lane
            )
    return state ^ 0xFFFFFFFF
