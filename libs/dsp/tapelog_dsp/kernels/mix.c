/* The console's own arithmetic: curves, faders, pan, sums, and the rounding to float32 between nodes. */
#include "curves.h"
#include "tapelog_kernels.h"

enum { SPAN = 512 };

TL_EXPORT void tl_log2_array(const double *x, double *y, int64_t frames) {
    for (int64_t n = 0; n < frames; n++) y[n] = tl_log2(x[n]);
}

TL_EXPORT void tl_exp2_array(const double *x, double *y, int64_t frames) {
    for (int64_t n = 0; n < frames; n++) y[n] = tl_exp2(x[n]);
}

/* The values of an automation from frame `start` on; `decibels` turns them into linear gains. */
TL_EXPORT void tl_curve(const int64_t *frame, const double *value, const double *rise, const double *span,
                        const int64_t *shape, int64_t count, int64_t start, int64_t decibels, double *out,
                        int64_t frames) {
    const Curve curve = {frame, value, rise, span, shape, count};
    curve_fill(&curve, start, frames, decibels, out);
}

/* y = float32(x * gain[n] * side), one channel; adding 0 leaves no negative zero. */
TL_EXPORT void tl_fade(const double *restrict x, const double *restrict gain, double side, float *restrict y,
                       int64_t frames) {
    for (int64_t n = 0; n < frames; n++) y[n] = (float)(x[n] * gain[n] * side) + 0.0f;
}

/* The same for a fader that does not move. */
TL_EXPORT void tl_fade_fixed(const double *restrict x, double gain, double side, float *restrict y, int64_t frames) {
    for (int64_t n = 0; n < frames; n++) y[n] = (float)(x[n] * gain * side) + 0.0f;
}

TL_INLINE const float *row_at(uint64_t address, int64_t at) { return (const float *)(uintptr_t)address + at; }

/* part [size] = source 0 * gain 0 + source 1 * gain 1 + ... in that order, from 0 on; four sources to a pass, so that the
 * sum is read and written a quarter as often. */
static void sum_span(const uint64_t *sources, const double *gains, int64_t count, int64_t at, double *restrict part,
                     int64_t size) {
    int64_t k = 0;
    for (int64_t n = 0; n < size; n++) part[n] = 0.0;
    for (; k + 4 <= count; k += 4) {
        const float *restrict a = row_at(sources[k], at), *restrict b = row_at(sources[k + 1], at);
        const float *restrict c = row_at(sources[k + 2], at), *restrict d = row_at(sources[k + 3], at);
        const double ga = gains[k], gb = gains[k + 1], gc = gains[k + 2], gd = gains[k + 3];
        for (int64_t n = 0; n < size; n++)
            part[n] = (((part[n] + (double)a[n] * ga) + (double)b[n] * gb) + (double)c[n] * gc) + (double)d[n] * gd;
    }
    for (; k < count; k++) {
        const float *restrict x = row_at(sources[k], at);
        const double gain = gains[k];
        for (int64_t n = 0; n < size; n++) part[n] += (double)x[n] * gain;
    }
}

/* Several sums over rows of the same length, a span of all of them at a time: a row that goes into more than one sum is
 * still near when the next one wants it. counts [sums]: how many of the sources and gains belong to each. */
TL_EXPORT void tl_sums(const uint64_t *sources, const double *gains, const int64_t *counts, const uint64_t *sums,
                       int64_t count, int64_t frames) {
    for (int64_t at = 0; at < frames; at += SPAN) {
        const int64_t size = frames - at < SPAN ? frames - at : SPAN;
        for (int64_t t = 0, first = 0; t < count; first += counts[t++])
            sum_span(sources + first, gains + first, counts[t], at, (double *)(uintptr_t)sums[t] + at, size);
    }
}

/* y[c] = x[c] * gain[n] for every channel: what the dynamics processors do with their curve. */
TL_EXPORT void tl_apply_curve(const double *restrict x, const double *restrict gain, double *restrict y,
                              int64_t channels, int64_t frames) {
    for (int64_t c = 0; c < channels; c++)
        for (int64_t n = 0; n < frames; n++) y[c * frames + n] = x[c * frames + n] * gain[n];
}

/* The largest magnitude, and infinity where a sample is not finite. */
TL_EXPORT double tl_magnitude(const double *x, int64_t count) {
    const uint64_t infinite = 0x7ff0000000000000ull;
    uint64_t most = 0; /* magnitudes compared as whole numbers: the same order, and in vectors */
    for (int64_t n = 0; n < count; n++) {
        const uint64_t bits = tl_bits(x[n]) & 0x7fffffffffffffffull;
        most = bits > most ? bits : most;
    }
    return tl_from_bits(most > infinite ? infinite : most);
}
