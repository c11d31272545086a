/* What lanes.c and pair.c have in common: where the tracks of a group stand, and how their faders end. */
#ifndef TAPELOG_STRIPS_H
#define TAPELOG_STRIPS_H

#include "curves.h"
#include "vectors.h"

enum { LANES = 8, SPAN = 128, COEFFICIENTS = 5 };
enum { STAGE_SECTIONS, STAGE_COMPRESS, STAGE_SCALE };
enum { THRESHOLD_DB, KNEE_DB, SLOPE, ATTACK, RELEASE, MAKEUP_DB, MIX, POWER, COMPRESSOR_NUMBERS };
enum { HELD_DB, SMOOTH_DB, MEAN_SQUARE, REDUCTION_MAX_DB, REDUCTION_SUM_DB, COMPRESSOR_STATE };
enum { CURVE_FRAME, CURVE_VALUE, CURVE_RISE, CURVE_SPAN, CURVE_SHAPE, CURVE_COUNT, CURVE_FIELDS };

/* Where one channel of eight tracks stands: doubles one after another, or whole numbers of 2, 3 or 4 bytes as they stand
 * in a file, little-endian, the channels of a frame beside each other. Up to two bytes before the first are read too. */
typedef struct {
    const uint8_t *from[LANES];
    int64_t step[LANES], bytes[LANES]; /* bytes: of a packed sample, 0 for doubles */
} Source;

TL_INLINE Source source_of(const uint64_t *inputs, const int64_t *packed, int64_t channels) {
    Source source;
    for (int k = 0; k < LANES; k++) {
        source.from[k] = (const uint8_t *)(uintptr_t)inputs[k];
        source.bytes[k] = packed[k];
        source.step[k] = packed[k] ? packed[k] * channels : (int64_t)sizeof(double);
    }
    return source;
}

/* A packed sample in the upper bytes of a word. */
TL_INLINE int32_t word_at(const uint8_t *from, int64_t bytes) {
    uint32_t word;
    __builtin_memcpy(&word, from + bytes - 4, sizeof word);
    return (int32_t)(word & (0xffffffffu << (32 - 8 * bytes)));
}

TL_INLINE v8d words_at(const uint8_t *from, int64_t step, int64_t bytes) {
    typedef int32_t v8i __attribute__((ext_vector_type(8)));
    v8i words;
    from += bytes - 4;
    for (int k = 0; k < LANES; k++) __builtin_memcpy((int32_t *)&words + k, from + step * k, sizeof(int32_t));
    words &= (v8i)((int32_t)(0xffffffffu << (32 - 8 * bytes)));
    return __builtin_convertvector(words, v8d) * all8(1.0 / 2147483648.0);
}

TL_INLINE v8d eight_frames(const Source *source, int k, int64_t at) {
    const uint8_t *from = source->from[k] + at * source->step[k];
    if (!source->from[k]) return all8(0.0);
    return source->bytes[k] ? words_at(from, source->step[k], source->bytes[k]) : load8((const double *)from);
}

TL_INLINE double one_frame(const Source *source, int k, int64_t at) {
    const uint8_t *from = source->from[k] + at * source->step[k];
    if (!source->from[k]) return 0.0;
    if (source->bytes[k]) return (double)word_at(from, source->bytes[k]) * (1.0 / 2147483648.0);
    return *(const double *)from;
}

TL_INLINE void place(const double *restrict x, const double *restrict gain, double side, float *restrict y,
                     int64_t frames) {
    for (int64_t n = 0; n < frames; n++) y[n] = (float)tl_on_grid(x[n] * gain[n] * side);
}

/* Fader, pan and rounding of one track: rows [channels][SPAN]; outputs: after the fader left, right, before it left,
 * right, any of them absent. */
static inline void fade_track(const uint64_t *curve_fields, const double *sides, const uint64_t *outputs, const double *left,
                       const double *right, int64_t start, int64_t at, int64_t count) {
    const Curve curve = {(const int64_t *)(uintptr_t)curve_fields[CURVE_FRAME],
                         (const double *)(uintptr_t)curve_fields[CURVE_VALUE],
                         (const double *)(uintptr_t)curve_fields[CURVE_RISE],
                         (const double *)(uintptr_t)curve_fields[CURVE_SPAN],
                         (const int64_t *)(uintptr_t)curve_fields[CURVE_SHAPE],
                         (int64_t)curve_fields[CURVE_COUNT]};
    double gains[SPAN];
    if (outputs[0]) {
        const double *ready = curve.count ? gains : curve.value + at;
        if (curve.count && curve_still(&curve, start + at, count)) {
            curve_fill(&curve, start + at, 1, 1, gains);
            for (int64_t n = 1; n < count; n++) gains[n] = gains[0];
        } else if (curve.count) {
            curve_fill(&curve, start + at, count, 1, gains);
        }
        place(left, ready, sides[0], (float *)(uintptr_t)outputs[0] + at, count);
        place(right, ready, sides[1], (float *)(uintptr_t)outputs[1] + at, count);
    }
    if (outputs[2]) {
        for (int64_t n = 0; n < count; n++) gains[n] = 1.0;
        place(left, gains, sides[0], (float *)(uintptr_t)outputs[2] + at, count);
        place(right, gains, sides[1], (float *)(uintptr_t)outputs[3] + at, count);
    }
}

#endif
