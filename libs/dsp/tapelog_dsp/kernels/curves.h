/* Automation: a value as a function of song time alone, so that no block can be seen in it. */
#ifndef TAPELOG_CURVES_H
#define TAPELOG_CURVES_H

#include "tapelog_kernels.h"

/* Segment shapes, the same in graph/automation.py. */
enum { SHAPE_LINEAR, SHAPE_HOLD, SHAPE_SMOOTH, SHAPE_EARLY, SHAPE_LATE };

/* A curve: for each point its frame, its value, and how it goes on: rise to the next point, frames until then, shape. */
typedef struct {
    const int64_t *frame;
    const double *value, *rise, *span;
    const int64_t *shape;
    int64_t count;
} Curve;

/* Index of the last point at or before a frame, -1 before the first. */
TL_INLINE int64_t curve_before(const Curve *curve, int64_t frame) {
    int64_t low = 0, high = curve->count;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (curve->frame[middle] <= frame)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

/* Whether the value stands still over these frames. */
TL_INLINE int curve_still(const Curve *curve, int64_t start, int64_t frames) {
    const int64_t index = curve_before(curve, start);
    if (index + 1 == curve->count) return 1;
    return (index < 0 || curve->shape[index] == SHAPE_HOLD) && start + frames <= curve->frame[index + 1];
}

/* Write the values of `frames` frames from `start` on. */
static inline void curve_fill(const Curve *curve, int64_t start, int64_t frames, double *restrict out) {
    int64_t filled = 0;
    while (filled < frames) {
        const int64_t now = start + filled, index = curve_before(curve, now);
        const int64_t end = index + 1 < curve->count ? curve->frame[index + 1] : INT64_MAX / 2;
        const int64_t stop = end - start < frames ? end - start : frames;
        const int still = index < 0 || index + 1 == curve->count || curve->shape[index] == SHAPE_HOLD;
        const double value = curve->value[index < 0 ? 0 : index];
        if (still) {
            for (int64_t n = filled; n < stop; n++) out[n] = value;
            filled = stop;
            continue;
        }
        const double rise = curve->rise[index], span = curve->span[index];
        const int64_t first = curve->frame[index] - start;
        switch (curve->shape[index]) {
            case SHAPE_SMOOTH: /* 3 t^2 - 2 t^3: starts and ends level */
                for (int64_t n = filled; n < stop; n++) {
                    const double t = (double)(n - first) / span;
                    out[n] = value + rise * (t * t * (3.0 - 2.0 * t));
                }
                break;
            case SHAPE_EARLY: /* 1 - (1 - t)^2: most of the way at first */
                for (int64_t n = filled; n < stop; n++) {
                    const double t = (double)(n - first) / span;
                    out[n] = value + rise * (t * (2.0 - t));
                }
                break;
            case SHAPE_LATE: /* t^2: most of the way at last */
                for (int64_t n = filled; n < stop; n++) {
                    const double t = (double)(n - first) / span;
                    out[n] = value + rise * (t * t);
                }
                break;
            default:
                for (int64_t n = filled; n < stop; n++) out[n] = value + rise * ((double)(n - first) / span);
        }
        filled = stop;
    }
}

/* Decibels to linear gains in place; at or below -144 dB the gain is exactly 0. */
static inline void curve_to_gains(double *values, int64_t frames) {
    for (int64_t n = 0; n < frames; n++) {
        const double gain = tl_exp2(values[n] * 0.1660964047443681);
        values[n] = values[n] <= -144.0 ? 0.0 : gain;
    }
}

#endif
