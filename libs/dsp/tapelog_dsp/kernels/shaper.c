/* Waveshaping between the samples: interpolate, take what the curve adds, filter that back to the base rate.
 *
 * Only the difference that the curve makes is carried down, so a signal that the curve leaves alone leaves no trace.
 * Every sum runs over its taps in order; the loops over time are the vectors. */
#include "tapelog_kernels.h"

enum { CHUNK = 256, REACH_MAX = 64, PHASES_MAX = 16 };
enum { CLIP, EXCITE }; /* the curves, the same in kernels/shaper.py */

/* CLIP: settings = knee start, ceiling. Below the start nothing, then a parabola that meets the ceiling flat. */
static void clip(const double *settings, double *u, int64_t count) {
    const double start = settings[0], width = settings[1] - settings[0];
    const double bend = width > 0.0 ? 0.25 / width : 0.0;
    for (int64_t n = 0; n < count; n++) {
        const double size = tl_abs(u[n]), over = size - start;
        const double cut = over < 2.0 * width ? over * over * bend : over - width;
        const double taken = over > 0.0 ? cut : 0.0;
        u[n] = u[n] < 0.0 ? taken : -taken;
    }
}

/* EXCITE: settings = drive, odd share, even share. What a saturating curve adds to v = drive u, scaled back. */
static void excite(const double *settings, double *u, int64_t count) {
    const double drive = settings[0], odd = settings[1], even = settings[2], back = 1.0 / drive;
    for (int64_t n = 0; n < count; n++) {
        const double v = drive * u[n], squared = v * v;
        const double bent = v / __builtin_sqrt(1.0 + squared) - v;
        u[n] = (odd * bent + even * (squared / (1.0 + squared))) * back;
    }
}

/* x [frames + 2 taps - 2]; up and down [phases, taps]; added [frames]. Where |x| times gain_sum stays at or below
 * `idle` the curve adds nothing. */
TL_EXPORT void tl_shape(const double *restrict x, const double *restrict up, const double *restrict down,
                        int64_t phases, int64_t taps, double gain_sum, double idle, int64_t curve,
                        const double *settings, double *restrict added, int64_t frames) {
    double shaped[CHUNK + REACH_MAX];
    for (int64_t first = 0; first < frames; first += CHUNK) {
        const int64_t count = frames - first < CHUNK ? frames - first : CHUNK, wide = count + taps - 1;
        double *out = added + first;
        const double *in = x + first;
        double most = 0.0;
        for (int64_t n = 0; n < count; n++) out[n] = 0.0;
        for (int64_t n = 0; n < wide + taps - 1; n++) most = tl_max(most, tl_abs(in[n]));
        if (most * gain_sum <= idle) continue;
        for (int64_t p = 0; p < phases; p++) {
            for (int64_t n = 0; n < wide; n++) shaped[n] = 0.0;
            for (int64_t k = 0; k < taps; k++) {
                const double tap = up[p * taps + k];
                for (int64_t n = 0; n < wide; n++) shaped[n] += tap * in[n + k];
            }
            if (curve == CLIP)
                clip(settings, shaped, wide);
            else
                excite(settings, shaped, wide);
            for (int64_t k = 0; k < taps; k++) {
                const double tap = down[p * taps + k];
                for (int64_t n = 0; n < count; n++) out[n] += tap * shaped[n + k];
            }
        }
    }
}
