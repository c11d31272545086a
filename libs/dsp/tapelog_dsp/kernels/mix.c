/* The console's own arithmetic: curves, faders, pan, the grid between strips, and sums on it. */
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

/* y = float32 of x * gain[n] * side on the grid, one channel; the grid has no negative zero. */
TL_EXPORT void tl_fade(const double *restrict x, const double *restrict gain, double side, float *restrict y,
                       int64_t frames) {
    for (int64_t n = 0; n < frames; n++) y[n] = (float)tl_on_grid(x[n] * gain[n] * side);
}

/* The same for a fader that does not move. */
TL_EXPORT void tl_fade_fixed(const double *restrict x, double gain, double side, float *restrict y, int64_t frames) {
    for (int64_t n = 0; n < frames; n++) y[n] = (float)tl_on_grid(x[n] * gain * side);
}

TL_INLINE const float *row_at(uint64_t address, int64_t at) { return (const float *)(uintptr_t)address + at; }

/* part [size] += four rows that are on the grid, so that the sum is read and written a quarter as often. */
TL_INLINE void add_four(const uint64_t *sources, int64_t at, double *restrict part, int64_t size) {
    const float *restrict a = row_at(sources[0], at), *restrict b = row_at(sources[1], at);
    const float *restrict c = row_at(sources[2], at), *restrict d = row_at(sources[3], at);
    for (int64_t n = 0; n < size; n++) part[n] += ((double)a[n] + (double)b[n]) + ((double)c[n] + (double)d[n]);
}

/* The same with gains; where none is above 1 nothing can leave the grid's range, and nothing has to be held. */
TL_INLINE void add_four_weighted(const int held, const uint64_t *sources, const double *gains, int64_t at,
                                 double *restrict part, int64_t size) {
    const float *restrict a = row_at(sources[0], at), *restrict b = row_at(sources[1], at);
    const float *restrict c = row_at(sources[2], at), *restrict d = row_at(sources[3], at);
    const double ga = gains[0], gb = gains[1], gc = gains[2], gd = gains[3];
    for (int64_t n = 0; n < size; n++) {
        const double xa = (double)a[n] * ga, xb = (double)b[n] * gb, xc = (double)c[n] * gc, xd = (double)d[n] * gd;
        if (held)
            part[n] += (tl_on_grid(xa) + tl_on_grid(xb)) + (tl_on_grid(xc) + tl_on_grid(xd));
        else
            part[n] += (tl_to_step(xa) + tl_to_step(xb)) + (tl_to_step(xc) + tl_to_step(xd));
    }
}

enum { AS_IT_IS, TO_STEP, HELD };

TL_INLINE int way_of(double gain) { return gain == 1.0 ? AS_IT_IS : tl_abs(gain) <= 1.0 ? TO_STEP : HELD; }

/* How many of the sources from the first on are taken in the same way as it. */
static int64_t run_of(const double *gains, int64_t count) {
    int64_t k = 1;
    while (k < count && way_of(gains[k]) == way_of(gains[0])) k++;
    return k;
}

/* part [size] = the sum of source k * gain k, each product on the grid: exact, so the order is free. Rows of gain 1 are
 * on the grid as they come. */
static void sum_span(const uint64_t *sources, const double *gains, int64_t count, int64_t at, double *restrict part,
                     int64_t size) {
    for (int64_t n = 0; n < size; n++) part[n] = 0.0;
    for (int64_t k = 0; k < count;) {
        const int way = way_of(gains[k]);
        const int64_t end = k + run_of(gains + k, count - k);
        for (; k + 4 <= end; k += 4) {
            if (way == AS_IT_IS)
                add_four(sources + k, at, part, size);
            else if (way == TO_STEP)
                add_four_weighted(0, sources + k, gains + k, at, part, size);
            else
                add_four_weighted(1, sources + k, gains + k, at, part, size);
        }
        for (; k < end; k++) {
            const float *restrict x = row_at(sources[k], at);
            const double gain = gains[k];
            if (way == AS_IT_IS)
                for (int64_t n = 0; n < size; n++) part[n] += (double)x[n];
            else
                for (int64_t n = 0; n < size; n++) part[n] += tl_on_grid((double)x[n] * gain);
        }
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

/* A sum on the grid in two parts: high + low steps of the grid, exactly. Returns the largest magnitude; from 32 on the low
 * part does not fit. */
TL_EXPORT double tl_split_sum(const double *restrict sum, float *restrict high, int16_t *restrict low, int64_t count) {
    double most = 0.0;
    for (int64_t n = 0; n < count; n++) {
        const double size = tl_abs(sum[n]);
        most = size > most ? size : most;
        high[n] = (float)sum[n];
        low[n] = (int16_t)(int32_t)((sum[n] - (double)high[n]) * 17179869184.0); /* 2^34 */
    }
    return most;
}

/* sum += high + low steps of the grid. */
TL_EXPORT void tl_add_split(const float *restrict high, const int16_t *restrict low, double *restrict sum,
                            int64_t count) {
    const double step = 1.0 / 17179869184.0;
    for (int64_t n = 0; n < count; n++) sum[n] += (double)high[n] + (double)low[n] * step;
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
