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

/* Decibels to a linear gain; at or below -144 dB it is exactly 0. What stands still is worked out in full, what moves
 * sample by sample to the accuracy of a gain: a rule per frame, so that no block can be seen in it. */
TL_INLINE double curve_still_gain(double level) {
    return level <= -144.0 ? 0.0 : tl_exp2(level * 0.1660964047443681);
}

TL_INLINE double curve_moving_gain(double level) {
    const double gain = tl_gain_exp2(level * 0.1660964047443681);
    return level <= -144.0 ? 0.0 : gain;
}

/* Write the values of `frames` frames from `start` on; `decibels` turns them into linear gains. */
static inline void curve_fill(const Curve *curve, int64_t start, int64_t frames, int64_t decibels,
                              double *restrict out) {
    int64_t filled = 0;
    while (filled < frames) {
        const int64_t now = start + filled, index = curve_before(curve, now);
        const int64_t end = index + 1 < curve->count ? curve->frame[index + 1] : INT64_MAX / 2;
        const int64_t stop = end - start < frames ? end - start : frames;
        const int still = index < 0 || index + 1 == curve->count || curve->shape[index] == SHAPE_HOLD;
        const double value = curve->value[index < 0 ? 0 : index];
        if (still) {
            const double held = decibels ? curve_still_gain(value) : value;
            for (int64_t n = filled; n < stop; n++) out[n] = held;
            filled = stop;
            continue;
        }
        const double rise = curve->rise[index], span = curve->span[index], slope = rise / span;
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
                for (int64_t n = filled; n < stop; n++) out[n] = value + slope * (double)(n - first);
        }
        if (decibels)
            for (int64_t n = filled; n < stop; n++) out[n] = curve_moving_gain(out[n]);
        filled = stop;
    }
}

#endif
