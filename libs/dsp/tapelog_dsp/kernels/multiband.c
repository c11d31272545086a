/* Multiband dynamics in one pass: Linkwitz-Riley splits, one gain curve per band, the sum.
 *
 * Bands and channels lie side by side: both ways of a split share one register, the bands that are done another, and the
 * gain curves of four bands run together. Lane by lane the operations and their order are those of filters.c and
 * dynamics.c; what a mono signal or fewer bands leave empty holds zeros, which change no sum. */
#include "vectors.h"

typedef double v4d __attribute__((ext_vector_type(4)));

enum { CHUNK = 128, BANDS_MAX = 5, QUAD = 4, QUADS = 2, COEFFICIENTS = 5 };

/* Order of the settings and of the figures of a band, the same in kernels/multiband.py. */
enum { THRESHOLD_DB, KNEE_DB, SLOPE, ATTACK, RELEASE, MAKEUP_DB, MIX, POWER, RANGE_DB, SETTINGS };
enum { HELD_DB, SMOOTH_DB, MEAN_SQUARE, REDUCTION_MAX_DB, REDUCTION_SUM_DB, FIGURES };
enum { LOWPASS, HIGHPASS, ALLPASS, KINDS }; /* the sections of a split */

/* One section on both ways of a split: low left, low right, high left, high right. */
typedef struct {
    v4d s1, s2;
} Pair;

/* One all-pass on the bands below a split: left and right of each. */
typedef struct {
    v8d s1, s2;
} Turn;

TL_INLINE v4d pair_step(const v4d c[COEFFICIENTS], Pair *memory, v4d x) {
    const v4d y = c[0] * x + memory->s1;
    memory->s1 = (c[1] * x + memory->s2) - c[3] * y;
    memory->s2 = c[2] * x - c[4] * y;
    return y;
}

TL_INLINE v8d turn_step(const double *c, Turn *memory, v8d x) {
    const v8d y = c[0] * x + memory->s1;
    memory->s1 = (c[1] * x + memory->s2) - c[3] * y;
    memory->s2 = c[2] * x - c[4] * y;
    return y;
}

TL_INLINE v2d left_right(v4d x, int upper) { return upper ? (v2d){x[2], x[3]} : (v2d){x[0], x[1]}; }

/* Split number `at`: low-pass twice into its place among the bands, high-pass twice into rest; the bands below it are
 * turned by its all-pass, so that they stay in phase. */
static void split(const double *sections, int64_t at, Pair pairs[2], Turn *turned, v2d *rest, v8d *bands,
                  int64_t count) {
    v4d c[COEFFICIENTS];
    for (int k = 0; k < COEFFICIENTS; k++) {
        const double pass = sections[k], stop = sections[COEFFICIENTS * HIGHPASS + k];
        c[k] = (v4d){pass, pass, stop, stop};
    }
    Pair one = pairs[0], two = pairs[1];
    Turn own = *turned;
    for (int64_t n = 0; n < count; n++) {
        const v2d x = rest[n];
        const v4d y = pair_step(c, &two, pair_step(c, &one, (v4d){x[0], x[1], x[0], x[1]}));
        bands[n] = at ? turn_step(sections + COEFFICIENTS * ALLPASS, &own, bands[n]) : all8(0.0);
        rest[n] = left_right(y, 1);
        *(v2d *)((double *)(bands + n) + 2 * at) = left_right(y, 0);
    }
    pairs[0] = one;
    pairs[1] = two;
    *turned = own;
}

/* The settings of four bands beside each other, twice: for two frames. */
typedef struct {
    v8d threshold, half_knee, knee_scale, slope, log_scale, floor, range, makeup, wet, dry;
    v4d attack, release, power;
    int64_t any_power;
} Curves;

static Curves curves_of(const double *settings, int64_t bands) {
    Curves curves = {0};
    for (int64_t b = 0; b < bands; b++) {
        const double *set = settings + SETTINGS * b;
        const int squared = set[POWER] > 0.0;
        for (int64_t k = b; k < 2 * QUAD; k += QUAD) {
            curves.threshold[k] = set[THRESHOLD_DB];
            curves.half_knee[k] = 0.5 * set[KNEE_DB];
            curves.knee_scale[k] = set[KNEE_DB] > 0.0 ? 0.5 / set[KNEE_DB] : 0.0;
            curves.slope[k] = set[SLOPE];
            curves.log_scale[k] = squared ? 0.5 * 6.020599913279624 : 6.020599913279624; /* 20 log10(2) */
            curves.floor[k] = squared ? 1e-10 * 1e-10 : 1e-10; /* -200 dBFS: the logarithm of silence stays finite */
            curves.range[k] = set[RANGE_DB];
            curves.makeup[k] = set[MAKEUP_DB];
            curves.wet[k] = set[MIX];
            curves.dry[k] = 1.0 - set[MIX];
        }
        curves.attack[b] = set[ATTACK];
        curves.release[b] = set[RELEASE];
        curves.power[b] = set[POWER];
        curves.any_power |= squared;
    }
    for (int64_t k = 0; k < 2 * QUAD; k++)
        if (k % QUAD >= bands) curves.floor[k] = 1.0;
    return curves;
}

typedef struct {
    v4d held, smooth, mean, most, total;
} Figures;

TL_INLINE v4d max4(v4d a, v4d b) { return a > b ? a : b; }

/* Reductions wanted -> smoothed, band by band: Giannoulis, Massberg, Reiss 2012, eq. (17), as in dynamics.c. */
static void smooth_reductions(const Curves *curves, Figures *figures, double *levels, int64_t count) {
    const v4d attack = curves->attack, release = curves->release;
    Figures own = *figures;
    for (int64_t n = 0; n < count; n++) {
        v4d *const level = (v4d *)(levels + QUAD * n);
        own.held = max4(*level, own.held + release * (*level - own.held));
        own.smooth += attack * (own.held - own.smooth);
        *level = own.smooth;
        own.most = max4(own.most, own.smooth);
        own.total += own.smooth;
    }
    *figures = own;
}

static void mean_squares(const Curves *curves, Figures *figures, double *levels, int64_t count) {
    const v4d power = curves->power;
    for (int64_t n = 0; n < count; n++) {
        v4d *const level = (v4d *)(levels + QUAD * n);
        figures->mean += power * (*level * *level - figures->mean);
        *level = power > (v4d)(0.0) ? figures->mean : *level;
    }
}

/* Add four bands to the sum behind their gains; eq. (4). Two frames share a register. */
static void dynamics(const Curves *curves, Figures *figures, v8d *bands, v2d *sum, int64_t count) {
    v8d levels[CHUNK / 2];
    if (count & 1) bands[count] = all8(0.0);
    for (int64_t n = 0; n < count; n += 2) {
        const v8d a = abs8(bands[n]), b = abs8(bands[n + 1]);
        levels[n / 2] = max8(__builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14),
                             __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15));
    }
    if (curves->any_power) mean_squares(curves, figures, (double *)levels, count);
    for (int64_t n = 0; 2 * n < count; n++) {
        const v8d over = curves->log_scale * level_log2_8(max8(levels[n], curves->floor)) - curves->threshold;
        const v8d into = over + curves->half_knee;
        const v8d above = over > curves->half_knee ? over : into * into * curves->knee_scale;
        levels[n] = min8(into <= all8(0.0) ? all8(0.0) : above * curves->slope, curves->range);
    }
    smooth_reductions(curves, figures, (double *)levels, count);
    for (int64_t n = 0; n < count; n += 2) {
        const v8d scaled = (curves->makeup - levels[n / 2]) * all8(0.1660964047443681); /* octaves per dB */
        const v8d gain = gain_exp2_8(scaled) * curves->wet + curves->dry;
        const v8d a = bands[n] * __builtin_shufflevector(gain, gain, 0, 0, 1, 1, 2, 2, 3, 3);
        const v8d b = bands[n + 1] * __builtin_shufflevector(gain, gain, 4, 4, 5, 5, 6, 6, 7, 7);
        v2d now = sum[n], next = sum[n + 1];
        for (int k = 0; k < QUAD; k++) {
            now += (v2d){a[2 * k], a[2 * k + 1]};
            next += (v2d){b[2 * k], b[2 * k + 1]};
        }
        sum[n] = now;
        sum[n + 1] = next;
    }
}

/* The memory of a section: s1 left, s1 right, s2 left, s2 right. Sections 0 and 1 of a split are its low-passes, 2 and 3
 * its high-passes; the all-passes follow, those of the lowest band first. */
static int64_t turn_place(int64_t band, int64_t at, int64_t splits) {
    return 4 * splits + band * splits - band * (band + 1) / 2 + at - band - 1;
}

static void load_memory(const double *memory, int64_t splits, Pair pairs[][2], Turn *turns) {
    for (int64_t s = 0; s < splits; s++) {
        for (int k = 0; k < 2; k++) {
            const double *low = memory + 4 * (4 * s + k), *high = memory + 4 * (4 * s + 2 + k);
            pairs[s][k] = (Pair){(v4d){low[0], low[1], high[0], high[1]}, (v4d){low[2], low[3], high[2], high[3]}};
        }
        turns[s] = (Turn){all8(0.0), all8(0.0)};
        for (int64_t b = 0; b < s; b++) {
            const double *own = memory + 4 * turn_place(b, s, splits);
            for (int c = 0; c < 2; c++) {
                turns[s].s1[2 * b + c] = own[c];
                turns[s].s2[2 * b + c] = own[2 + c];
            }
        }
    }
}

static void store_memory(double *memory, int64_t splits, Pair pairs[][2], const Turn *turns) {
    for (int64_t s = 0; s < splits; s++) {
        for (int k = 0; k < 2; k++)
            for (int c = 0; c < 2; c++) {
                double *low = memory + 4 * (4 * s + k), *high = memory + 4 * (4 * s + 2 + k);
                low[c] = pairs[s][k].s1[c];
                low[2 + c] = pairs[s][k].s2[c];
                high[c] = pairs[s][k].s1[2 + c];
                high[2 + c] = pairs[s][k].s2[2 + c];
            }
        for (int64_t b = 0; b < s; b++)
            for (int c = 0; c < 2; c++) {
                double *own = memory + 4 * turn_place(b, s, splits);
                own[c] = turns[s].s1[2 * b + c];
                own[2 + c] = turns[s].s2[2 * b + c];
            }
    }
}

static void load_figures(const double *from, int64_t bands, Figures *to) {
    *to = (Figures){0};
    for (int64_t b = 0; b < bands; b++) {
        to->held[b] = from[FIGURES * b + HELD_DB];
        to->smooth[b] = from[FIGURES * b + SMOOTH_DB];
        to->mean[b] = from[FIGURES * b + MEAN_SQUARE];
        to->most[b] = from[FIGURES * b + REDUCTION_MAX_DB];
        to->total[b] = from[FIGURES * b + REDUCTION_SUM_DB];
    }
}

static void store_figures(const Figures *from, int64_t bands, double *to) {
    for (int64_t b = 0; b < bands; b++) {
        to[FIGURES * b + HELD_DB] = from->held[b];
        to[FIGURES * b + SMOOTH_DB] = from->smooth[b];
        to[FIGURES * b + MEAN_SQUARE] = from->mean[b];
        to[FIGURES * b + REDUCTION_MAX_DB] = from->most[b];
        to[FIGURES * b + REDUCTION_SUM_DB] = from->total[b];
    }
}

/* sections [bands - 1, 3, 5]; memory [4 (bands - 1) + all-passes, 2, 2]; settings and figures per band; x and y
 * [channels, frames], channels 1 or 2. Band b is turned by the all-passes of the splits above its own, so that the
 * bands sum to an all-pass. */
TL_EXPORT void tl_multiband(const double *sections, double *memory, const double *settings, double *figures,
                            const double *x, double *y, int64_t bands, int64_t channels, int64_t frames) {
    v2d rest[CHUNK], sum[CHUNK + 1];
    v8d sides[QUADS][CHUNK + 1];
    Pair pairs[BANDS_MAX - 1][2];
    Turn turns[BANDS_MAX - 1];
    Curves curves[QUADS];
    Figures own[QUADS];
    const int64_t splits = bands - 1, quads = (bands + QUAD - 1) / QUAD;
    load_memory(memory, splits, pairs, turns);
    for (int64_t q = 0; q < quads; q++) {
        const int64_t here = bands - QUAD * q < QUAD ? bands - QUAD * q : QUAD;
        curves[q] = curves_of(settings + SETTINGS * QUAD * q, here);
        load_figures(figures + FIGURES * QUAD * q, here, own + q);
    }
    for (int64_t first = 0; first < frames; first += CHUNK) {
        const int64_t length = frames - first < CHUNK ? frames - first : CHUNK;
        for (int64_t n = 0; n < length; n++) {
            rest[n] = (v2d){x[first + n], channels > 1 ? x[frames + first + n] : 0.0};
            sum[n] = (v2d){0.0, 0.0};
        }
        for (int64_t s = 0; s < splits; s++)
            split(sections + s * KINDS * COEFFICIENTS, s, pairs[s], turns + s, rest, sides[0], length);
        const int64_t last = (bands - 1) / QUAD, slot = (bands - 1) % QUAD;
        for (int64_t n = 0; n < length; n++) {
            if (!slot) sides[last][n] = all8(0.0);
            *(v2d *)((double *)(sides[last] + n) + 2 * slot) = rest[n];
        }
        for (int64_t q = 0; q < quads; q++) dynamics(curves + q, own + q, sides[q], sum, length);
        for (int64_t n = 0; n < length; n++) {
            y[first + n] = sum[n][0];
            if (channels > 1) y[frames + first + n] = sum[n][1];
        }
    }
    store_memory(memory, splits, pairs, turns);
    for (int64_t q = 0; q < quads; q++) {
        const int64_t here = bands - QUAD * q < QUAD ? bands - QUAD * q : QUAD;
        store_figures(own + q, here, figures + FIGURES * QUAD * q);
    }
}
