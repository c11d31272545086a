/* Many channel strips at once: eight tracks side by side in one vector, so that recursions which are serial in time run
 * on eight tracks per step. Lane by lane the operations and their order are those of filters.c, dynamics.c and mix.c,
 * so a track has the same bits alone, in any group and in any place of it.
 *
 * The strips of a group have the same chain: stages of sections, compressors and gains. Shorter cascades are filled up
 * with sections that change nothing (1 0 0 0 0): they can at most turn -0 into +0, and the fader does that anyway.
 */
#include "strips.h"

enum { FUSED = 3 };

/* Eight vectors of eight: rows become columns. */
TL_INLINE void transpose8(v8d r[LANES]) {
    v8d a[LANES], b[LANES];
    for (int k = 0; k < LANES; k += 2) {
        a[k] = __builtin_shufflevector(r[k], r[k + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        a[k + 1] = __builtin_shufflevector(r[k], r[k + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
    for (int k = 0; k < LANES; k += 4)
        for (int j = 0; j < 2; j++) {
            b[k + j] = __builtin_shufflevector(a[k + j], a[k + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            b[k + j + 2] = __builtin_shufflevector(a[k + j], a[k + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (int j = 0; j < 4; j++) {
        r[j] = __builtin_shufflevector(b[j], b[j + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        r[j + 4] = __builtin_shufflevector(b[j], b[j + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

/* Whole numbers of one size on all eight tracks: a frame of each at a time needs no turning. */
TL_INLINE void gather_words(const Source *source, const int64_t bytes, int64_t at, int64_t count, v8d *x) {
    typedef int32_t v8i __attribute__((ext_vector_type(8)));
    const uint8_t *from[LANES];
    const int64_t step = source->step[0];
    for (int k = 0; k < LANES; k++) from[k] = source->from[k] + at * step + bytes - 4;
    for (int64_t n = 0; n < count; n++) {
        v8i words;
        for (int k = 0; k < LANES; k++) __builtin_memcpy((int32_t *)&words + k, from[k] + step * n, sizeof(int32_t));
        words &= (v8i)((int32_t)(0xffffffffu << (32 - 8 * bytes)));
        x[n] = __builtin_convertvector(words, v8d) * all8(1.0 / 2147483648.0);
    }
}

/* Tracks to lanes; a track without samples is silent. */
static void gather(const Source *source, int64_t at, int64_t count, v8d *x) {
    int alike = 1;
    for (int k = 0; k < LANES; k++) alike &= source->from[k] && source->bytes[k] == source->bytes[0];
    if (alike && source->bytes[0] == 3) {
        gather_words(source, 3, at, count, x);
        return;
    }
    int64_t n = 0;
    for (; n + LANES <= count; n += LANES) {
        v8d rows[LANES];
        for (int k = 0; k < LANES; k++) rows[k] = eight_frames(source, k, at + n);
        transpose8(rows);
        for (int k = 0; k < LANES; k++) x[n + k] = rows[k];
    }
    for (; n < count; n++)
        for (int k = 0; k < LANES; k++) x[n][k] = one_frame(source, k, at + n);
}

/* Lanes to planar rows of SPAN. */
static void scatter(const v8d *x, int64_t count, double rows[LANES][SPAN]) {
    int64_t n = 0;
    for (; n + LANES <= count; n += LANES) {
        v8d block[LANES];
        for (int k = 0; k < LANES; k++) block[k] = x[n + k];
        transpose8(block);
        for (int k = 0; k < LANES; k++) store8(rows[k] + n, block[k]);
    }
    for (; n < count; n++)
        for (int k = 0; k < LANES; k++) rows[k][n] = x[n][k];
}

/* Transposed direct form II, grouped as in filters.c; `count` and `channels` are constants at every call, so that the
 * coefficients of a pass stay in registers and serve both channels. */
TL_INLINE void lane_sections(const int count, const int channels, const double *c, double *state, int64_t apart,
                             v8d x[][SPAN], int64_t frames) {
    v8d b[FUSED][COEFFICIENTS], s1[2][FUSED], s2[2][FUSED];
    for (int k = 0; k < count; k++) {
        for (int j = 0; j < COEFFICIENTS; j++) b[k][j] = load8(c + LANES * (COEFFICIENTS * k + j));
        for (int side = 0; side < channels; side++) {
            s1[side][k] = load8(state + apart * side + 2 * LANES * k);
            s2[side][k] = load8(state + apart * side + 2 * LANES * k + LANES);
        }
    }
    for (int64_t n = 0; n < frames; n++)
        for (int side = 0; side < channels; side++) {
            v8d value = x[side][n];
            for (int k = 0; k < count; k++) {
                const v8d y = b[k][0] * value + s1[side][k];
                s1[side][k] = (b[k][1] * value + s2[side][k]) - b[k][3] * y;
                s2[side][k] = b[k][2] * value - b[k][4] * y;
                value = y;
            }
            x[side][n] = value;
        }
    for (int k = 0; k < count; k++)
        for (int side = 0; side < channels; side++) {
            store8(state + apart * side + 2 * LANES * k, s1[side][k]);
            store8(state + apart * side + 2 * LANES * k + LANES, s2[side][k]);
        }
}

/* A cascade on one channel or two; the memory of the second channel follows that of the first. */
static void sections(int64_t total, int64_t channels, const double *c, double *state, v8d x[][SPAN], int64_t frames) {
    const int64_t apart = 2 * LANES * total;
    for (int64_t first = 0; first < total; first += FUSED) {
        const double *part = c + first * COEFFICIENTS * LANES;
        double *memory = state + first * 2 * LANES;
        const int64_t count = total - first < FUSED ? total - first : FUSED;
        switch (2 * count + channels) {
            case 3: lane_sections(1, 1, part, memory, apart, x, frames); break;
            case 4: lane_sections(1, 2, part, memory, apart, x, frames); break;
            case 5: lane_sections(2, 1, part, memory, apart, x, frames); break;
            case 6: lane_sections(2, 2, part, memory, apart, x, frames); break;
            case 7: lane_sections(3, 1, part, memory, apart, x, frames); break;
            default: lane_sections(3, 2, part, memory, apart, x, frames);
        }
    }
}

/* tl_compress on eight detectors, linked over the channels, and the gain applied. */
static void compress(const double *numbers, double *state, v8d x[][SPAN], int64_t channels, int64_t frames) {
    const double octave = 6.020599913279624;
    const v8d threshold = load8(numbers + LANES * THRESHOLD_DB), knee = load8(numbers + LANES * KNEE_DB);
    const v8d slope = load8(numbers + LANES * SLOPE), attack = load8(numbers + LANES * ATTACK);
    const v8d release = load8(numbers + LANES * RELEASE), makeup = load8(numbers + LANES * MAKEUP_DB);
    const v8d wet = load8(numbers + LANES * MIX), power = load8(numbers + LANES * POWER);
    const v8d dry = all8(1.0) - wet, half_knee = all8(0.5) * knee;
    const v8l squared = power > all8(0.0);
    const v8d knee_scale = knee > all8(0.0) ? all8(0.5) / knee : all8(0.0);
    const v8d log_scale = squared ? all8(0.5 * octave) : all8(octave);
    const v8d floor = squared ? all8(1e-10 * 1e-10) : all8(1e-10);
    v8d held = load8(state + LANES * HELD_DB), smooth = load8(state + LANES * SMOOTH_DB);
    v8d mean = load8(state + LANES * MEAN_SQUARE);
    v8d most = load8(state + LANES * REDUCTION_MAX_DB), sum = load8(state + LANES * REDUCTION_SUM_DB);
    v8d level[SPAN];
    int any_squared = 0;
    for (int k = 0; k < LANES; k++) any_squared |= squared[k] != 0;

    for (int64_t n = 0; n < frames; n++) level[n] = abs8(x[0][n]);
    for (int64_t c = 1; c < channels; c++)
        for (int64_t n = 0; n < frames; n++) level[n] = max8(level[n], abs8(x[c][n]));
    if (any_squared)
        for (int64_t n = 0; n < frames; n++) {
            mean = squared ? mean + power * (level[n] * level[n] - mean) : mean;
            level[n] = squared ? mean : level[n];
        }
    for (int64_t n = 0; n < frames; n++) {
        const v8d over = log_scale * level_log2_8(max8(level[n], floor)) - threshold;
        const v8d into = over + half_knee;
        const v8d bent = into * into * knee_scale;
        const v8d above = over > half_knee ? over : bent;
        level[n] = into <= all8(0.0) ? all8(0.0) : above * slope;
    }
    for (int64_t n = 0; n < frames; n++) {
        held = max8(level[n], held + release * (level[n] - held));
        smooth += attack * (held - smooth);
        most = max8(most, smooth);
        sum += smooth;
        /* In the same loop, because the powers of eight frames fit into the time that the recursion waits for itself. */
        const v8d gain = gain_exp2_8((makeup - smooth) * all8(0.1660964047443681)) * wet + dry;
        for (int64_t c = 0; c < channels; c++) x[c][n] = x[c][n] * gain;
    }
    store8(state + LANES * HELD_DB, held);
    store8(state + LANES * SMOOTH_DB, smooth);
    store8(state + LANES * MEAN_SQUARE, mean);
    store8(state + LANES * REDUCTION_MAX_DB, most);
    store8(state + LANES * REDUCTION_SUM_DB, sum);
}

/* Run a group of strips. program [stages, 2]: kind and, for sections, how many; numbers and state: what the stages need,
 * one after another, each value for eight lanes; inputs [channels, 8], curves [8, 6] and outputs [8, 4]: addresses, 0
 * where there is none; packed [8]: bytes of a sample of each track, 0 for doubles; a curve without points holds the gain of every frame as its values. sides [8, 2]. */
TL_EXPORT void tl_strip_lanes(const int64_t *program, int64_t stages, const double *numbers, double *state,
                              const uint64_t *inputs, const int64_t *packed, const uint64_t *curves,
                              const double *sides, const uint64_t *outputs, int64_t channels, int64_t start,
                              int64_t frames) {
    v8d x[2][SPAN];
    double rows[2][LANES][SPAN];
    Source sources[2];
    for (int64_t c = 0; c < channels; c++) sources[c] = source_of(inputs + LANES * c, packed, channels);
    for (int64_t at = 0; at < frames; at += SPAN) {
        const int64_t count = frames - at < SPAN ? frames - at : SPAN;
        const double *given = numbers;
        double *memory = state;
        for (int64_t c = 0; c < channels; c++) gather(sources + c, at, count, x[c]);
        for (int64_t s = 0; s < stages; s++) {
            const int64_t kind = program[2 * s], size = program[2 * s + 1];
            if (kind == STAGE_SECTIONS) {
                sections(size, channels, given, memory, x, count);
                memory += channels * 2 * LANES * size;
                given += COEFFICIENTS * LANES * size;
            } else if (kind == STAGE_COMPRESS) {
                compress(given, memory, x, channels, count);
                given += COMPRESSOR_NUMBERS * LANES;
                memory += COMPRESSOR_STATE * LANES;
            } else {
                const v8d gain = load8(given);
                for (int64_t c = 0; c < channels; c++)
                    for (int64_t n = 0; n < count; n++) x[c][n] = x[c][n] * gain;
                given += LANES;
            }
        }
        for (int64_t c = 0; c < channels; c++) scatter(x[c], count, rows[c]);
        for (int k = 0; k < LANES; k++)
            fade_track(curves + CURVE_FIELDS * k, sides + 2 * k, outputs + 4 * k, rows[0][k], rows[channels - 1][k],
                       start, at, count);
    }
}
