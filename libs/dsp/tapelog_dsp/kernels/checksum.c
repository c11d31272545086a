/* A checksum of samples that are kept for a while: it guards against accidents, at the speed of memory. */
#include "vectors.h"

enum { LANES = 8 };

typedef uint64_t v8u_any __attribute__((ext_vector_type(8), aligned(1)));

/* After Fletcher 1982: in each of eight lanes of words of 64 bits the sum of the words, and the sum of those sums, which
 * knows their order; modulo 2^64. What is no whole row is filled up with zeros, and the length is taken in. The lanes
 * are then joined by steps that lose nothing of any one of them. A change within one word is always noticed. */
TL_EXPORT uint64_t tl_checksum(const uint8_t *bytes, int64_t count, uint64_t seed) {
    v8u sum = (v8u)(0), order = (v8u)(0);
    const int64_t row = LANES * (int64_t)sizeof(uint64_t);
    int64_t at = 0;
    for (; at + row <= count; at += row) {
        sum += *(const v8u_any *)(bytes + at);
        order += sum;
    }
    if (at < count) {
        uint8_t rest[64] = {0};
        for (int64_t k = 0; at + k < count; k++) rest[k] = bytes[at + k];
        sum += *(const v8u_any *)rest;
        order += sum;
    }
    uint64_t joined = (seed ^ (uint64_t)count) * 0x9e3779b97f4a7c15ull;
    for (int k = 0; k < LANES; k++) {
        joined = (joined ^ sum[k]) * 0xff51afd7ed558ccdull;
        joined ^= joined >> 32;
        joined = (joined ^ order[k]) * 0xc4ceb9fe1a85ec53ull;
        joined ^= joined >> 29;
    }
    return joined;
}
