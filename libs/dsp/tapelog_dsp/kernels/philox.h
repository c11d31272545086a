/* Philox4x64-10, the counter-based generator behind every dither.
 *
 * J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011. */
#ifndef TAPELOG_PHILOX_H
#define TAPELOG_PHILOX_H

#include "tapelog_kernels.h"

static const uint64_t MULTIPLIER_0 = 0xD2E7470EE14C6C93ull, MULTIPLIER_1 = 0xCA5A826395121157ull;
static const uint64_t WEYL_0 = 0x9E3779B97F4A7C15ull, WEYL_1 = 0xBB67AE8584CAA73Bull;

TL_INLINE void philox(uint64_t counter, uint64_t key_0, uint64_t key_1, uint64_t words[4]) {
    uint64_t c0 = counter, c1 = 0, c2 = 0, c3 = 0;
    for (int round = 0; round < 10; round++) {
        const unsigned __int128 p0 = (unsigned __int128)MULTIPLIER_0 * c0, p1 = (unsigned __int128)MULTIPLIER_1 * c2;
        const uint64_t next_0 = (uint64_t)(p1 >> 64) ^ c1 ^ key_0, next_2 = (uint64_t)(p0 >> 64) ^ c3 ^ key_1;
        c1 = (uint64_t)p1;
        c3 = (uint64_t)p0;
        c0 = next_0;
        c2 = next_2;
        key_0 += WEYL_0;
        key_1 += WEYL_1;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

/* Triangular noise over +-1 from the high and the low half of a word. */
TL_INLINE double triangular(uint64_t word) {
    const double half_word = 4294967296.0;
    return ((double)(int64_t)(word >> 32) - (double)(int64_t)(word & 0xffffffffull)) / half_word;
}

#endif
