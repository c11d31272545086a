/* Multiband dynamics in one pass: Linkwitz-Riley splits, one gain curve per band, the sum.
 *
 * Both channels share one vector register from the splits to the sum; a mono signal leaves the second lane empty. */
#include "tapelog_kernels.h"

enum { CHUNK = 128, BANDS_MAX = 5, COEFFICIENTS = 5 };

static const double DB_PER_OCTAVE = 6.020599913279624; /* 20 log10(2) */
static const double OCTAVES_PER_DB = 0.1660964047443681;
static const double LEVEL_FLOOR = 1e-10; /* -200 dBFS: keeps the logarithm of silence finite */

/* Order of the settings and of the figures of a band, the same in kernels/multiband.py. */
enum { THRESHOLD_DB, KNEE_DB, SLOPE, ATTACK, RELEASE, MAKEUP_DB, MIX, POWER, RANGE_DB, SETTINGS };
enum { HELD_DB, SMOOTH_DB, MEAN_SQUARE, REDUCTION_MAX_DB, REDUCTION_SUM_DB, FIGURES };
enum { LOWPASS, HIGHPASS, ALLPASS, KINDS }; /* the sections of a split */

typedef struct {
    v2d s1, s2;
} Section;

TL_INLINE v2d section(const double *c, Section *memory, v2d x) {
    const v2d y = c[0] * x + memory->s1;
    memory->s1 = (c[1] * x + memory->s2) - c[3] * y;
    memory->s2 = c[2] * x - c[4] * y;
    return y;
}

/* low = low-pass twice, rest = high-pass twice, of rest. */
static void split(const double *sections, Section *memory, v2d *rest, v2d *low, int64_t count) {
    const double *pass = sections, *stop = sections + COEFFICIENTS;
    Section a = memory[0], b = memory[1], c = memory[2], d = memory[3];
    for (int64_t n = 0; n < count; n++) {
        const v2d x = rest[n];
        low[n] = section(pass, &b, section(pass, &a, x));
        rest[n] = section(stop, &d, section(stop, &c, x));
    }
    memory[0] = a;
    memory[1] = b;
    memory[2] = c;
    memory[3] = d;
}

static void turn(const double *sections, Section *memory, v2d *x, int64_t count) {
    Section own = *memory;
    for (int64_t n = 0; n < count; n++) x[n] = section(sections + ALLPASS * COEFFICIENTS, &own, x[n]);
    *memory = own;
}

/* Add one band to the sum behind its gain: Giannoulis, Massberg, Reiss 2012, eq. (4) and (17), as in dynamics.c. */
static void band(const double *set, double *figures, const v2d *x, v2d *sum, int64_t count) {
    const double half_knee = 0.5 * set[KNEE_DB], power = set[POWER], wet = set[MIX], dry = 1.0 - set[MIX];
    const double knee_scale = set[KNEE_DB] > 0.0 ? 0.5 / set[KNEE_DB] : 0.0;
    const double log_scale = power > 0.0 ? 0.5 * DB_PER_OCTAVE : DB_PER_OCTAVE;
    const double floor = power > 0.0 ? LEVEL_FLOOR * LEVEL_FLOOR : LEVEL_FLOOR;
    double held = figures[HELD_DB], smooth = figures[SMOOTH_DB], mean = figures[MEAN_SQUARE];
    double most = figures[REDUCTION_MAX_DB], total = figures[REDUCTION_SUM_DB];
    double level[CHUNK];
    for (int64_t n = 0; n < count; n++) level[n] = tl_max(tl_abs(x[n][0]), tl_abs(x[n][1]));
    if (power > 0.0)
        for (int64_t n = 0; n < count; n++) {
            mean += power * (level[n] * level[n] - mean);
            level[n] = mean;
        }
    for (int64_t n = 0; n < count; n++) {
        const double over = log_scale * tl_log2(tl_max(level[n], floor)) - set[THRESHOLD_DB];
        const double into = over + half_knee;
        const double above = over > half_knee ? over : into * into * knee_scale;
        level[n] = tl_min(into <= 0.0 ? 0.0 : above * set[SLOPE], set[RANGE_DB]);
    }
    for (int64_t n = 0; n < count; n++) {
        held = tl_max(level[n], held + set[RELEASE] * (level[n] - held));
        smooth += set[ATTACK] * (held - smooth);
        level[n] = smooth;
        most = tl_max(most, smooth);
        total += smooth;
    }
    for (int64_t n = 0; n < count; n++) level[n] = tl_exp2((set[MAKEUP_DB] - level[n]) * OCTAVES_PER_DB) * wet + dry;
    for (int64_t n = 0; n < count; n++) sum[n] += x[n] * level[n];
    figures[HELD_DB] = held;
    figures[SMOOTH_DB] = smooth;
    figures[MEAN_SQUARE] = mean;
    figures[REDUCTION_MAX_DB] = most;
    figures[REDUCTION_SUM_DB] = total;
}

/* sections [bands - 1, 3, 5]; memory [4 (bands - 1) + all-passes, 2, 2]; settings and figures per band; x and y
 * [channels, frames], channels 1 or 2. Band b is turned by the all-passes of the splits above its own, so that the
 * bands sum to an all-pass. */
TL_EXPORT void tl_multiband(const double *sections, double *memory, const double *settings, double *figures,
                            const double *x, double *y, int64_t bands, int64_t channels, int64_t frames) {
    v2d rest[CHUNK], low[CHUNK], sum[CHUNK];
    Section own[4 * (BANDS_MAX - 1) + (BANDS_MAX - 1) * (BANDS_MAX - 2) / 2];
    const int64_t count = 4 * (bands - 1) + (bands - 1) * (bands - 2) / 2;
    for (int64_t k = 0; k < count; k++) {
        own[k].s1 = (v2d){memory[4 * k], memory[4 * k + 1]};
        own[k].s2 = (v2d){memory[4 * k + 2], memory[4 * k + 3]};
    }
    for (int64_t first = 0; first < frames; first += CHUNK) {
        const int64_t length = frames - first < CHUNK ? frames - first : CHUNK;
        for (int64_t n = 0; n < length; n++) {
            rest[n] = (v2d){x[first + n], channels > 1 ? x[frames + first + n] : 0.0};
            sum[n] = (v2d){0.0, 0.0};
        }
        Section *next = own + 4 * (bands - 1);
        for (int64_t b = 0; b + 1 < bands; b++) {
            split(sections + b * KINDS * COEFFICIENTS, own + 4 * b, rest, low, length);
            for (int64_t later = b + 1; later + 1 < bands; later++)
                turn(sections + later * KINDS * COEFFICIENTS, next++, low, length);
            band(settings + b * SETTINGS, figures + b * FIGURES, low, sum, length);
        }
        band(settings + (bands - 1) * SETTINGS, figures + (bands - 1) * FIGURES, rest, sum, length);
        for (int64_t n = 0; n < length; n++) {
            y[first + n] = sum[n][0];
            if (channels > 1) y[frames + first + n] = sum[n][1];
        }
    }
    for (int64_t k = 0; k < count; k++) {
        memory[4 * k] = own[k].s1[0];
        memory[4 * k + 1] = own[k].s1[1];
        memory[4 * k + 2] = own[k].s2[0];
        memory[4 * k + 3] = own[k].s2[1];
    }
}
