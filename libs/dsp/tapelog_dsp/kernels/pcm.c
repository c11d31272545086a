/* From float to whole numbers: TPDF dither out of a counter-based generator, and rounding. */
#include "tapelog_kernels.h"

/* Philox4x64-10 (Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011). */
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

/* One channel: pcm = round(x * scale + d), d triangular over +-1 step, clipped to [-scale, scale - 1].
 *
 * Sample n of the song uses word n of the generator's stream (counter n / 4 + 1), high and low half as two uniform
 * numbers, so no block size can be seen. real [frames] receives the value that the whole number stands for. Returns how
 * many samples were clipped. */
TL_EXPORT int64_t tl_dither(const double *x, double scale, uint64_t key_0, uint64_t key_1, int64_t start, int32_t *pcm,
                            double *real, int64_t frames) {
    const double half_word = 4294967296.0, step = 1.0 / scale;
    uint64_t words[4];
    int64_t clipped = 0;
    if (start & 3) philox((uint64_t)(start >> 2) + 1, key_0, key_1, words);
    for (int64_t n = 0; n < frames; n++) {
        const int64_t at = start + n;
        if (!(at & 3)) philox((uint64_t)(at >> 2) + 1, key_0, key_1, words);
        const uint64_t word = words[at & 3];
        const double dither = ((double)(int64_t)(word >> 32) - (double)(int64_t)(word & 0xffffffffull)) / half_word;
        double value = __builtin_floor(x[n] * scale + dither + 0.5);
        const int high = value > scale - 1.0, low = value < -scale;
        clipped += high | low;
        value = high ? scale - 1.0 : low ? -scale : value;
        pcm[n] = (int32_t)value;
        real[n] = value * step;
    }
    return clipped;
}

/* Interleaved little-endian integers of `bytes` bytes (2, 3 or 4) to planar floats: y + channel * stride receives one
 * channel, full scale 1. */
TL_EXPORT void tl_unpack(const uint8_t *restrict raw, int64_t bytes, int64_t channels, double *restrict y,
                         int64_t stride, int64_t frames) {
    const double scale = 1.0 / 2147483648.0;
    for (int64_t c = 0; c < channels; c++) {
        const uint8_t *from = raw + c * bytes;
        const int64_t step = bytes * channels;
        double *restrict to = y + c * stride;
        if (bytes == 3)
            for (int64_t n = 0; n < frames; n++, from += step) {
                const uint32_t word = (uint32_t)from[0] << 8 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 24;
                to[n] = (double)(int32_t)word * scale;
            }
        else if (bytes == 2)
            for (int64_t n = 0; n < frames; n++, from += step) {
                const uint32_t word = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 24;
                to[n] = (double)(int32_t)word * scale;
            }
        else
            for (int64_t n = 0; n < frames; n++, from += step) {
                const uint32_t word = (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
                                      (uint32_t)from[3] << 24;
                to[n] = (double)(int32_t)word * scale;
            }
    }
}

/* The other way: planar whole numbers [channels, frames] to interleaved little-endian bytes. */
TL_EXPORT void tl_pack(const int32_t *restrict pcm, int64_t bytes, int64_t channels, uint8_t *restrict raw,
                       int64_t frames) {
    for (int64_t c = 0; c < channels; c++) {
        const int32_t *from = pcm + c * frames;
        uint8_t *to = raw + c * bytes;
        for (int64_t n = 0; n < frames; n++, to += bytes * channels) {
            const uint32_t word = (uint32_t)from[n];
            for (int64_t b = 0; b < bytes; b++) to[b] = (uint8_t)(word >> (8 * b));
        }
    }
}
