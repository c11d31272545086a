/* From float to whole numbers: TPDF dither out of a counter-based generator, and rounding. */
#include "philox.h"

enum { WORDS = 128 };

/* One channel: pcm = round(x * scale + d), d triangular over +-1 step, clipped to [-scale, scale - 1].
 *
 * Sample n of the song uses word n of the generator's stream (counter n / 4 + 1), high and low half as two uniform
 * numbers, so no block size can be seen. real [frames] receives the value that the whole number stands for. Returns how
 * many samples were clipped. */
TL_EXPORT int64_t tl_dither(const double *x, double scale, uint64_t key_0, uint64_t key_1, int64_t start, int32_t *pcm,
                            double *real, int64_t frames) {
    const double step = 1.0 / scale;
    uint64_t words[WORDS + 4];
    int64_t clipped = 0;
    for (int64_t first = 0; first < frames; first += WORDS) {
        /* The noise first, by itself: each call is long, and none waits for another. */
        const int64_t count = frames - first < WORDS ? frames - first : WORDS;
        const int64_t at = start + first, skipped = at & 3;
        for (int64_t k = 0; k < skipped + count; k += 4)
            philox((uint64_t)((at + k) >> 2) + 1, key_0, key_1, words + k);
        const uint64_t *noise = words + skipped;
        for (int64_t n = 0; n < count; n++) {
            double value = __builtin_floor(x[first + n] * scale + triangular(noise[n]) + 0.5);
            const int high = value > scale - 1.0, low = value < -scale;
            clipped += high | low;
            value = high ? scale - 1.0 : low ? -scale : value;
            pcm[first + n] = (int32_t)value;
            real[first + n] = value * step;
        }
    }
    return clipped;
}

typedef uint8_t bytes16 __attribute__((vector_size(16), aligned(1)));
typedef int32_t ints4 __attribute__((vector_size(16)));
typedef double reals4 __attribute__((vector_size(32), aligned(8)));

/* Four samples of 3 bytes, moved to the high bytes of four whole numbers: in order, or the even ones first. */
#define FOUR_OF_24(from, a, b, c, d)                                                                                  \
    (ints4) __builtin_shufflevector(*(const bytes16 *)(from), (bytes16){0}, 16, a, a + 1, a + 2, 16, b, b + 1, b + 2, \
                                    16, c, c + 1, c + 2, 16, d, d + 1, d + 2)

/* The most usual layout, two channels of 24 bits; returns how many frames it did. It reads 4 bytes past a sample. */
TL_INLINE int64_t unpack_stereo_24(const uint8_t *restrict raw, double *restrict left, double *restrict right,
                                   int64_t frames) {
    const double scale = 1.0 / 2147483648.0;
    int64_t n = 0;
    for (; n + 5 <= frames; n += 4, raw += 24) {
        const ints4 first = FOUR_OF_24(raw, 0, 6, 3, 9), then = FOUR_OF_24(raw + 12, 0, 6, 3, 9);
        const ints4 lefts = __builtin_shufflevector(first, then, 0, 1, 4, 5);
        const ints4 rights = __builtin_shufflevector(first, then, 2, 3, 6, 7);
        *(reals4 *)(left + n) = __builtin_convertvector(lefts, reals4) * scale;
        *(reals4 *)(right + n) = __builtin_convertvector(rights, reals4) * scale;
    }
    return n;
}

TL_INLINE int64_t unpack_mono_24(const uint8_t *restrict raw, double *restrict y, int64_t frames) {
    const double scale = 1.0 / 2147483648.0;
    int64_t n = 0;
    for (; n + 6 <= frames; n += 4, raw += 12) {
        const ints4 four = FOUR_OF_24(raw, 0, 3, 6, 9);
        *(reals4 *)(y + n) = __builtin_convertvector(four, reals4) * scale;
    }
    return n;
}

/* Interleaved floats, as they are. */
static void unpack_floats(const float *restrict raw, int64_t channels, double *restrict y, int64_t stride,
                          int64_t frames) {
    if (channels == 2) {
        double *restrict left = y, *restrict right = y + stride;
        for (int64_t n = 0; n < frames; n++) {
            left[n] = (double)raw[2 * n];
            right[n] = (double)raw[2 * n + 1];
        }
        return;
    }
    for (int64_t c = 0; c < channels; c++)
        for (int64_t n = 0; n < frames; n++) y[c * stride + n] = (double)raw[channels * n + c];
}

/* Interleaved little-endian integers of `bytes` bytes (2, 3 or 4), or floats of 32 bits where that is -4, to planar
 * doubles: y + channel * stride receives one channel, full scale 1. */
TL_EXPORT void tl_unpack(const uint8_t *restrict raw, int64_t bytes, int64_t channels, double *restrict y,
                         int64_t stride, int64_t frames) {
    const double scale = 1.0 / 2147483648.0;
    int64_t done = 0;
    if (bytes < 0) {
        unpack_floats((const float *)raw, channels, y, stride, frames);
        return;
    }
    if (bytes == 3 && channels == 2) done = unpack_stereo_24(raw, y, y + stride, frames);
    if (bytes == 3 && channels == 1) done = unpack_mono_24(raw, y, frames);
    for (int64_t c = 0; c < channels; c++) {
        const int64_t step = bytes * channels;
        const uint8_t *from = raw + c * bytes + done * step;
        double *restrict to = y + c * stride;
        if (bytes == 3)
            for (int64_t n = done; n < frames; n++, from += step) {
                const uint32_t word = (uint32_t)from[0] << 8 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 24;
                to[n] = (double)(int32_t)word * scale;
            }
        else if (bytes == 2)
            for (int64_t n = done; n < frames; n++, from += step) {
                const uint32_t word = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 24;
                to[n] = (double)(int32_t)word * scale;
            }
        else
            for (int64_t n = done; n < frames; n++, from += step) {
                const uint32_t word = (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
                                      (uint32_t)from[3] << 24;
                to[n] = (double)(int32_t)word * scale;
            }
    }
}

/* Both samples of a frame in one word; all but the last write two bytes more, which the next frame puts right. */
static void pack_stereo_24(const int32_t *restrict left, const int32_t *restrict right, uint8_t *restrict raw,
                           int64_t frames) {
    for (int64_t n = 0; n < frames; n++) {
        const uint64_t low = (uint32_t)left[n] & 0xffffffu, high = (uint32_t)right[n] & 0xffffffu;
        const uint64_t frame = low | high << 24;
        __builtin_memcpy(raw + 6 * n, &frame, n + 1 < frames ? 8 : 6);
    }
}

/* The other way: planar whole numbers [channels, frames] to interleaved little-endian bytes. */
TL_EXPORT void tl_pack(const int32_t *restrict pcm, int64_t bytes, int64_t channels, uint8_t *restrict raw,
                       int64_t frames) {
    if (bytes == 3 && channels == 2) {
        pack_stereo_24(pcm, pcm + frames, raw, frames);
        return;
    }
    for (int64_t c = 0; c < channels; c++) {
        const int32_t *from = pcm + c * frames;
        uint8_t *to = raw + c * bytes;
        for (int64_t n = 0; n < frames; n++, to += bytes * channels) {
            const uint32_t word = (uint32_t)from[n];
            for (int64_t b = 0; b < bytes; b++) to[b] = (uint8_t)(word >> (8 * b));
        }
    }
}

typedef double reals8 __attribute__((vector_size(64), aligned(8)));
typedef float floats8 __attribute__((vector_size(32)));
typedef float floats16 __attribute__((vector_size(64), aligned(4)));

/* Planar doubles [channels, stride] to interleaved floats of 32 bits. */
TL_EXPORT void tl_pack_floats(const double *restrict x, int64_t channels, int64_t stride, float *restrict raw,
                              int64_t frames) {
    int64_t done = 0;
    if (channels == 2)
        for (; done + 8 <= frames; done += 8) {
            const floats8 left = __builtin_convertvector(*(const reals8 *)(x + done), floats8);
            const floats8 right = __builtin_convertvector(*(const reals8 *)(x + stride + done), floats8);
            *(floats16 *)(raw + 2 * done) =
                __builtin_shufflevector(left, right, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
        }
    for (int64_t c = 0; c < channels; c++)
        for (int64_t n = done; n < frames; n++) raw[channels * n + c] = (float)x[c * stride + n];
}

enum { ORDER_MAX = 16 };

/* The same with error feedback: what is rounded is v = x * scale - sum_k taps[k] e[n - 1 - k], and e = pcm - v.
 *
 * errors [order] holds the newest first and is carried from block to block. A sample that does not fit is clipped after
 * its error is taken, so that clipping cannot run the loop away. */
TL_EXPORT int64_t tl_shaped_dither(const double *x, double scale, uint64_t key_0, uint64_t key_1, int64_t start,
                                   const double *taps, double *errors, int64_t order, int32_t *pcm, double *real,
                                   int64_t frames) {
    const double step = 1.0 / scale;
    double past[ORDER_MAX];
    uint64_t words[4];
    int64_t clipped = 0;
    for (int64_t k = 0; k < order; k++) past[k] = errors[k];
    if (start & 3) philox((uint64_t)(start >> 2) + 1, key_0, key_1, words);
    for (int64_t n = 0; n < frames; n++) {
        const int64_t at = start + n;
        if (!(at & 3)) philox((uint64_t)(at >> 2) + 1, key_0, key_1, words);
        double wanted = x[n] * scale;
        for (int64_t k = 0; k < order; k++) wanted -= taps[k] * past[k];
        double value = __builtin_floor(wanted + triangular(words[at & 3]) + 0.5);
        for (int64_t k = order - 1; k > 0; k--) past[k] = past[k - 1];
        past[0] = value - wanted;
        const int high = value > scale - 1.0, low = value < -scale;
        clipped += high | low;
        value = high ? scale - 1.0 : low ? -scale : value;
        pcm[n] = (int32_t)value;
        real[n] = value * step;
    }
    for (int64_t k = 0; k < order; k++) errors[k] = past[k];
    return clipped;
}
