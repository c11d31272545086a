/* Two channel strips at once, for the few tracks of a revised mix: with the bits of lanes.c, at half its price.
 *
 * lanes.c puts eight tracks beside each other and waits for one section after the other. Here a vector holds the same
 * section of a few lines (a line is one channel of one track) and, in its other lanes, the sections that follow: in each
 * step every section takes what the one before it made in the last step. All sections of a track move at once, each on
 * another sample, and a sample meets the same operations in the same order. */
#include "strips.h"

typedef double v2d_any __attribute__((ext_vector_type(2), aligned(8)));
typedef double v4d_any __attribute__((ext_vector_type(4), aligned(8)));

/* STRETCH: frames at a time; DEEP: vectors that step together; MARGIN: what steps read before and after the frames. */
enum { TRACKS = 2, LINES = 4, STRETCH = 512, DEEP = 3, MARGIN = 64 };

typedef struct {
    v8d b0, b1, b2, a1, a2, s1, s2;
} Level;

/* What comes from the lines before: `lines` lanes out of the vector before this one, then its own, moved up. */
TL_INLINE v8d moved_up(const int lines, v8d before, v8d own) {
    return lines == 2 ? __builtin_shufflevector(before, own, 6, 7, 8, 9, 10, 11, 12, 13)
                      : __builtin_shufflevector(before, own, 4, 5, 6, 7, 8, 9, 10, 11);
}

/* One step of `depth` vectors of sections; ends [depth] is what they made. Where `masked`, sections that have no sample
 * at step t of `frames` keep their memory. */
TL_INLINE void step_all(const int lines, const int depth, const int masked, Level *level, v8d *ends, v8d given,
                        int64_t t, int64_t frames) {
    for (int v = depth - 1; v >= 0; v--) {
        Level *own = level + v;
        const v8d x = moved_up(lines, v ? ends[v - 1] : given, ends[v]);
        const v8d y = own->b0 * x + own->s1;
        const v8d s1 = (own->b1 * x + own->s2) - own->a1 * y, s2 = own->b2 * x - own->a2 * y;
        if (masked) {
            const int64_t late = t - v * (LANES / lines);
            const v8l place = lines == 2 ? (v8l){0, 0, 1, 1, 2, 2, 3, 3} : (v8l){0, 0, 0, 0, 1, 1, 1, 1};
            const v8l runs = (place <= (v8l)(late)) & (place > (v8l)(late - frames));
            own->s1 = runs ? s1 : own->s1;
            own->s2 = runs ? s2 : own->s2;
        } else {
            own->s1 = s1;
            own->s2 = s2;
        }
        ends[v] = y;
    }
}

/* x [frames * lines] through `depth` vectors of sections; made [steps] receives what the last vector made. */
TL_INLINE void steps(const int lines, const int depth, Level *level, const double *x, v8d *made, int64_t frames) {
    const int64_t whole = depth * (LANES / lines) - 1, count = frames + whole;
    Level own[DEEP];
    v8d ends[DEEP];
    for (int v = 0; v < depth; v++) {
        own[v] = level[v];
        ends[v] = all8(0.0);
    }
    int64_t t = 0;
    for (; t < count && (t < whole || t >= frames); t++) {
        step_all(lines, depth, 1, own, ends, load8(x + lines * (t + 1) - LANES), t, frames);
        made[t] = ends[depth - 1];
    }
    for (; t < frames; t++) {
        step_all(lines, depth, 0, own, ends, load8(x + lines * (t + 1) - LANES), t, frames);
        made[t] = ends[depth - 1];
    }
    for (; t < count; t++) {
        step_all(lines, depth, 1, own, ends, load8(x + lines * (t + 1) - LANES), t, frames);
        made[t] = ends[depth - 1];
    }
    for (int v = 0; v < depth; v++) level[v] = own[v];
}

/* A cascade of `total` sections; the numbers and the memory are those of lanes.c, of which two lanes are used. */
TL_INLINE void cascade(const int lines, int64_t total, const double *numbers, double *state, double *x,
                       int64_t frames) {
    const int deep = LANES / lines;
    const int64_t channels = lines / TRACKS, apart = 2 * LANES * total;
    v8d made[STRETCH + MARGIN];
    for (int64_t first = 0; first < total; first += DEEP * deep) {
        const int64_t count = total - first < DEEP * deep ? total - first : DEEP * deep;
        const int64_t depth = (count + deep - 1) / deep;
        Level level[DEEP];
        for (int64_t v = 0; v < depth; v++)
            for (int p = 0; p < LANES; p++) {
                const int64_t k = first + v * deep + p / lines, track = p % lines / channels, side = p % lines % channels;
                const double *c = numbers + LANES * COEFFICIENTS * k + track;
                const double *memory = state + apart * side + 2 * LANES * k + track;
                const int used = k < total;
                level[v].b0[p] = used ? c[0] : 1.0;
                level[v].b1[p] = used ? c[LANES] : 0.0;
                level[v].b2[p] = used ? c[2 * LANES] : 0.0;
                level[v].a1[p] = used ? c[3 * LANES] : 0.0;
                level[v].a2[p] = used ? c[4 * LANES] : 0.0;
                level[v].s1[p] = used ? memory[0] : 0.0;
                level[v].s2[p] = used ? memory[LANES] : 0.0;
            }
        if (depth == 1)
            steps(lines, 1, level, x, made, frames);
        else if (depth == 2)
            steps(lines, 2, level, x, made, frames);
        else
            steps(lines, 3, level, x, made, frames);
        const int64_t from = (count - 1) % deep * lines;
        for (int64_t n = 0; n < frames; n++) {
            const double *end = (const double *)(made + n + count - 1) + from;
            if (lines == 2)
                *(v2d_any *)(x + 2 * n) = *(const v2d_any *)end;
            else
                *(v4d_any *)(x + 4 * n) = *(const v4d_any *)end;
        }
        for (int64_t v = 0; v < depth; v++)
            for (int p = 0; p < LANES; p++) {
                const int64_t k = first + v * deep + p / lines, track = p % lines / channels, side = p % lines % channels;
                double *memory = state + apart * side + 2 * LANES * k + track;
                if (k >= total) continue;
                memory[0] = level[v].s1[p];
                memory[LANES] = level[v].s2[p];
            }
    }
}

/* A number of each track, in the lanes of its lines. */
TL_INLINE v8d by_line(const int lines, const double *number) {
    v8d all;
    for (int p = 0; p < LANES; p++) all[p] = number[p % lines / (lines / TRACKS)];
    return all;
}

/* The recursions of a detector, the only part that waits for itself: TYPE holds one frame of all lines. */
#define SMOOTHED(TYPE)                                                                                          \
    do {                                                                                                        \
        TYPE attack, release, held, smooth, most, sum;                                                          \
        for (int l = 0; l < lines; l++) {                                                                       \
            const int64_t track = l / (lines / TRACKS);                                                         \
            attack[l] = numbers[LANES * ATTACK + track];                                                        \
            release[l] = numbers[LANES * RELEASE + track];                                                      \
            held[l] = state[LANES * HELD_DB + track];                                                           \
            smooth[l] = state[LANES * SMOOTH_DB + track];                                                       \
            most[l] = state[LANES * REDUCTION_MAX_DB + track];                                                  \
            sum[l] = state[LANES * REDUCTION_SUM_DB + track];                                                   \
        }                                                                                                       \
        for (int64_t n = 0; n < frames; n++) {                                                                  \
            const TYPE now = *(const TYPE *)(level + lines * n), next = held + release * (now - held);          \
            held = now > next ? now : next;                                                                     \
            smooth += attack * (held - smooth);                                                                 \
            most = most > smooth ? most : smooth;                                                               \
            sum += smooth;                                                                                      \
            *(TYPE *)(level + lines * n) = smooth;                                                              \
        }                                                                                                       \
        for (int l = 0; l < lines; l++) {                                                                       \
            const int64_t track = l / (lines / TRACKS);                                                         \
            state[LANES * HELD_DB + track] = held[l];                                                           \
            state[LANES * SMOOTH_DB + track] = smooth[l];                                                       \
            state[LANES * REDUCTION_MAX_DB + track] = most[l];                                                  \
            state[LANES * REDUCTION_SUM_DB + track] = sum[l];                                                   \
        }                                                                                                       \
    } while (0)

/* The mean squares of the tracks that have them, in place. */
static void mean_squares(const int lines, const double *numbers, double *state, double *level, int64_t frames) {
    for (int64_t track = 0; track < TRACKS; track++) {
        const double power = numbers[LANES * POWER + track];
        if (!(power > 0.0)) continue;
        double mean = state[LANES * MEAN_SQUARE + track];
        const int64_t channels = lines / TRACKS;
        double *own = level + track * channels;
        for (int64_t n = 0; n < frames; n++, own += lines) {
            mean = mean + power * (own[0] * own[0] - mean);
            for (int64_t c = 0; c < channels; c++) own[c] = mean;
        }
        state[LANES * MEAN_SQUARE + track] = mean;
    }
}

/* The compressor of lanes.c; x has room for whole vectors. */
TL_INLINE void compress(const int lines, const double *numbers, double *state, double *x, int64_t frames) {
    const double octave = 6.020599913279624;
    const v8d threshold = by_line(lines, numbers + LANES * THRESHOLD_DB), knee = by_line(lines, numbers + LANES * KNEE_DB);
    const v8d slope = by_line(lines, numbers + LANES * SLOPE), makeup = by_line(lines, numbers + LANES * MAKEUP_DB);
    const v8d wet = by_line(lines, numbers + LANES * MIX), power = by_line(lines, numbers + LANES * POWER);
    const v8d dry = all8(1.0) - wet, half_knee = all8(0.5) * knee;
    const v8l squared = power > all8(0.0);
    const v8d knee_scale = knee > all8(0.0) ? all8(0.5) / knee : all8(0.0);
    const v8d log_scale = squared ? all8(0.5 * octave) : all8(octave);
    const v8d floor = squared ? all8(1e-10 * 1e-10) : all8(1e-10);
    const int64_t count = lines * frames;
    double level[LINES * STRETCH + LANES];

    for (int64_t i = 0; i < count; i += LANES) {
        v8d size = abs8(load8(x + i));
        if (lines == 4) size = max8(size, __builtin_shufflevector(size, size, 1, 0, 3, 2, 5, 4, 7, 6));
        store8(level + i, size);
    }
    mean_squares(lines, numbers, state, level, frames);
    for (int64_t i = 0; i < count; i += LANES) {
        const v8d over = log_scale * level_log2_8(max8(load8(level + i), floor)) - threshold;
        const v8d into = over + half_knee;
        const v8d bent = into * into * knee_scale;
        const v8d above = over > half_knee ? over : bent;
        store8(level + i, into <= all8(0.0) ? all8(0.0) : above * slope);
    }
    if (lines == 2)
        SMOOTHED(v2d_any);
    else
        SMOOTHED(v4d_any);
    for (int64_t i = 0; i < count; i += LANES) {
        const v8d gain = gain_exp2_8((makeup - load8(level + i)) * all8(0.1660964047443681)) * wet + dry;
        store8(x + i, load8(x + i) * gain);
    }
}

TL_INLINE void run_pair(const int lines, const int64_t *program, int64_t stages, const double *numbers, double *state,
                        const Source *sources, const uint64_t *curves, const double *sides, const uint64_t *outputs,
                        int64_t start, int64_t at, int64_t frames) {
    const int64_t channels = lines / TRACKS;
    double memory[LINES * STRETCH + 2 * MARGIN] = {0};
    double rows[LINES][STRETCH];
    double *x = memory + MARGIN;
    for (int l = 0; l < lines; l++)
        for (int64_t n = 0; n < frames; n++) x[lines * n + l] = one_frame(sources + l % channels, l / channels, at + n);
    for (int64_t s = 0; s < stages; s++) {
        const int64_t kind = program[2 * s], size = program[2 * s + 1];
        if (kind == STAGE_SECTIONS) {
            cascade(lines, size, numbers, state, x, frames);
            state += channels * 2 * LANES * size;
            numbers += COEFFICIENTS * LANES * size;
        } else if (kind == STAGE_COMPRESS) {
            compress(lines, numbers, state, x, frames);
            state += COMPRESSOR_STATE * LANES;
            numbers += COMPRESSOR_NUMBERS * LANES;
        } else {
            const v8d gain = by_line(lines, numbers);
            for (int64_t i = 0; i < lines * frames; i += LANES) store8(x + i, load8(x + i) * gain);
            numbers += LANES;
        }
    }
    for (int64_t n = 0; n < frames; n++)
        for (int l = 0; l < lines; l++) rows[l][n] = x[lines * n + l];
    for (int64_t track = 0; track < TRACKS; track++)
        for (int64_t done = 0; done < frames; done += SPAN)
            fade_track(curves + CURVE_FIELDS * track, sides + 2 * track, outputs + 4 * track,
                       rows[track * channels] + done, rows[track * channels + channels - 1] + done, start, at + done,
                       frames - done < SPAN ? frames - done : SPAN);
}

/* As tl_strip_lanes, of whose eight lanes the first two are used. */
TL_EXPORT void tl_strip_pair(const int64_t *program, int64_t stages, const double *numbers, double *state,
                             const uint64_t *inputs, const int64_t *packed, const uint64_t *curves,
                             const double *sides, const uint64_t *outputs, int64_t channels, int64_t start,
                             int64_t frames) {
    Source sources[2];
    for (int64_t c = 0; c < channels; c++) sources[c] = source_of(inputs + LANES * c, packed, channels);
    for (int64_t at = 0; at < frames; at += STRETCH) {
        const int64_t count = frames - at < STRETCH ? frames - at : STRETCH;
        if (channels == 1)
            run_pair(2, program, stages, numbers, state, sources, curves, sides, outputs, start, at, count);
        else
            run_pair(4, program, stages, numbers, state, sources, curves, sides, outputs, start, at, count);
    }
}
