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

/* sum [frames] = source 0 * gain 0 + source 1 * gain 1 + ... in that order, from 0 on, whatever the vector width. */
TL_EXPORT void tl_sum(const uint64_t *sources, const double *gains, int64_t count, double *sum, int64_t frames) {
    for (int64_t at = 0; at < frames; at += SPAN) {
        const int64_t size = frames - at < SPAN ? frames - at : SPAN;
        double *restrict part = sum + at;
        for (int64_t n = 0; n < size; n++) part[n] = 0.0;
        for (int64_t k = 0; k < count; k++) {
            const float *restrict x = (const float *)(uintptr_t)sources[k] + at;
            const double gain = gains[k];
            for (int64_t n = 0; n < size; n++) part[n] += (double)x[n] * gain;
        }
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
