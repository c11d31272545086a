/* Saturation between the samples, with first-order anti-derivative anti-aliasing, in time with the signal.
 *
 * J. Parker, V. Zavalishin, E. Le Bivic, DAFx 2016: y = (F(v1) - F(v0)) / (v1 - v0), F the integral of the curve. Such a
 * quotient belongs to the middle between its two points; the points are therefore interpolated half a step off the
 * grid, so that the middles lie on it. Only what the curve adds is computed, as in shaper.c. */
#include "tapelog_kernels.h"

enum { CHUNK = 128, TAPS_MAX = 64, PHASES_MAX = 8 };
enum { DRIVE, BIAS, REST, SCALE, WEIGHT, SETTINGS }; /* the settings, the same in kernels/saturate.py */

static const double LN_2 = 0.6931471805599453, TWICE_LOG2_E = -2.8853900817779268;
static const double STEP_MIN = 1e-5; /* below it the quotient loses its digits; the curve at the middle stands in */

TL_INLINE double soft(double x) {
    const double small = tl_exp2(tl_abs(x) * TWICE_LOG2_E);
    const double size = (1.0 - small) / (1.0 + small);
    return x < 0.0 ? -size : size;
}

TL_INLINE double integral(double x) {
    const double size = tl_abs(x);
    return size + LN_2 * (tl_log2(1.0 + tl_exp2(size * TWICE_LOG2_E)) - 1.0);
}

/* Frames under one setting. The points before a frame's first middle are those of the last phase one frame earlier. */
static void stretch(const double *restrict x, const double *restrict up, const double *restrict down, int64_t phases,
                    int64_t taps, const double *set, double *restrict added, int64_t frames) {
    double u[PHASES_MAX][CHUNK + TAPS_MAX + 1], f[PHASES_MAX][CHUNK + TAPS_MAX + 1], bent[CHUNK + TAPS_MAX];
    for (int64_t first = 0; first < frames; first += CHUNK) {
        const int64_t count = frames - first < CHUNK ? frames - first : CHUNK;
        const int64_t wide = phases > 1 ? count + taps - 1 : count;
        double *out = added + first;
        for (int64_t p = 0; p < phases; p++) {
            for (int64_t n = 0; n <= wide; n++) u[p][n] = 0.0;
            for (int64_t k = 0; k < taps; k++) {
                const double tap = up[p * taps + k];
                for (int64_t n = 0; n <= wide; n++) u[p][n] += tap * x[first + n + k];
            }
            for (int64_t n = 0; n <= wide; n++) f[p][n] = integral(set[DRIVE] * u[p][n] + set[BIAS]);
        }
        for (int64_t n = 0; n < count; n++) out[n] = 0.0;
        for (int64_t p = 0; p < phases; p++) {
            const int64_t back = p == 0 ? 1 : 0, before = p == 0 ? phases - 1 : p - 1;
            for (int64_t n = 0; n < wide; n++) {
                const double u0 = u[before][n + 1 - back], u1 = u[p][n + 1];
                const double v0 = set[DRIVE] * u0 + set[BIAS], v1 = set[DRIVE] * u1 + set[BIAS];
                const double step = v1 - v0;
                const int close = tl_abs(step) < STEP_MIN;
                const double slope = (f[p][n + 1] - f[before][n + 1 - back]) / (close ? 1.0 : step);
                const double curve = close ? soft(0.5 * (v1 + v0)) : slope;
                bent[n] = ((curve - set[REST]) * set[SCALE] - 0.5 * (u1 + u0)) * set[WEIGHT];
            }
            if (phases == 1)
                for (int64_t n = 0; n < count; n++) out[n] += bent[n];
            else
                for (int64_t k = 0; k < taps; k++) {
                    const double tap = down[p * taps + k];
                    for (int64_t n = 0; n < count; n++) out[n] += tap * bent[n + k];
                }
        }
    }
}

/* x [frames + taps + (taps - 1 where phases > 1)]; up and down [phases, taps]; added [frames]. from and to [5]: settings
 * at the ends of a cell of `span` frames, of which `offset` have passed; the same array where nothing moves, else each
 * frame is bent whole by its own. */
TL_EXPORT void tl_saturate(const double *x, const double *up, const double *down, int64_t phases, int64_t taps,
                           const double *from, const double *to, int64_t offset, int64_t span, double *added,
                           int64_t frames) {
    if (from == to) {
        stretch(x, up, down, phases, taps, from, added, frames);
        return;
    }
    for (int64_t n = 0; n < frames; n++) {
        const double way = (double)(offset + n) / (double)span;
        double set[SETTINGS];
        for (int k = 0; k < SETTINGS; k++) set[k] = from[k] + (to[k] - from[k]) * way;
        stretch(x + n, up, down, phases, taps, set, added + n, 1);
    }
}
