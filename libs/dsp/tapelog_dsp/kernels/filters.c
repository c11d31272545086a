/* Recursive filters: cascades of second-order sections, float64, transposed direct form II.
 *
 * A recursion is serial in time, so the sections of a cascade run side by side (each waits only for the one before it)
 * and the two channels of a stereo pair share one vector register.
 */
#include "tapelog_kernels.h"

enum { COEFFICIENTS = 5 }; /* b0 b1 b2 a1 a2, a0 = 1 */

/* One step of one section; the grouping keeps a1 * y the only product on the recursive path. */
#define SECTION_STEP(x, s1, s2, c, y)        \
    do {                                     \
        (y) = (c)[0] * (x) + (s1);           \
        (s1) = ((c)[1] * (x) + (s2)) - (c)[3] * (y); \
        (s2) = (c)[2] * (x) - (c)[4] * (y);  \
    } while (0)

/* `count` is a constant at every call, so that the loop over sections is unrolled and its state stays in registers. */
TL_INLINE void cascade_mono(const int count, const double *sos, double *state, const double *x, double *y,
                            int64_t frames) {
    double s1[6], s2[6];
    for (int k = 0; k < count; k++) {
        s1[k] = state[2 * k];
        s2[k] = state[2 * k + 1];
    }
    for (int64_t n = 0; n < frames; n++) {
        double value = x[n], out;
        for (int k = 0; k < count; k++) {
            SECTION_STEP(value, s1[k], s2[k], sos + COEFFICIENTS * k, out);
            value = out;
        }
        y[n] = value;
    }
    for (int k = 0; k < count; k++) {
        state[2 * k] = s1[k];
        state[2 * k + 1] = s2[k];
    }
}

TL_INLINE void cascade_stereo(const int count, const double *sos, double *left, double *right, const double *x,
                              double *y, int64_t frames) {
    v2d s1[6], s2[6];
    for (int k = 0; k < count; k++) {
        s1[k] = (v2d){left[2 * k], right[2 * k]};
        s2[k] = (v2d){left[2 * k + 1], right[2 * k + 1]};
    }
    for (int64_t n = 0; n < frames; n++) {
        v2d value = {x[n], x[n + frames]}, out;
        for (int k = 0; k < count; k++) {
            SECTION_STEP(value, s1[k], s2[k], sos + COEFFICIENTS * k, out);
            value = out;
        }
        y[n] = value[0];
        y[n + frames] = value[1];
    }
    for (int k = 0; k < count; k++) {
        left[2 * k] = s1[k][0];
        right[2 * k] = s1[k][1];
        left[2 * k + 1] = s2[k][0];
        right[2 * k + 1] = s2[k][1];
    }
}

#define FOR_COUNT(call)          \
    switch (count) {             \
        case 1: call(1); break;  \
        case 2: call(2); break;  \
        case 3: call(3); break;  \
        case 4: call(4); break;  \
        case 5: call(5); break;  \
        default: call(6); break; \
    }

/* sos [sections, 5]; state [channels, sections, 2]; x and y [channels, frames], not overlapping or the same. */
TL_EXPORT void tl_sos(const double *sos, int64_t sections, double *state, const double *x, double *y, int64_t channels,
                      int64_t frames) {
    for (int64_t first = 0; first < sections; first += 6) {
        const int count = (int)(sections - first < 6 ? sections - first : 6);
        const double *part = sos + COEFFICIENTS * first;
        const double *from = first ? y : x;
        int64_t c = 0;
        for (; c + 1 < channels; c += 2) {
            double *left = state + 2 * (c * sections + first), *right = left + 2 * sections;
#define STEREO(n) cascade_stereo(n, part, left, right, from + c * frames, y + c * frames, frames)
            FOR_COUNT(STEREO)
        }
        for (; c < channels; c++) {
            double *own = state + 2 * (c * sections + first);
#define MONO(n) cascade_mono(n, part, own, from + c * frames, y + c * frames, frames)
            FOR_COUNT(MONO)
        }
    }
}

enum { SVF_NUMBERS = 5 }; /* g, k, and how much of input, band and low goes into the output */

/* Filters that move: state-variable form after A. Simper, "Solving the continuous SVF equations using trapezoidal
 * integration", 2013. Its numbers go in straight lines from `from` to `to` [bands, 5] over `span` frames, of which
 * `offset` have passed; it is stable for any g and k above 0, so nothing clicks. state [channels, bands, 2]. */
TL_EXPORT void tl_svf(const double *from, const double *to, int64_t bands, int64_t offset, int64_t span, double *state,
                      const double *x, double *y, int64_t channels, int64_t frames) {
    for (int64_t c = 0; c < channels; c++) {
        double *out = y + c * frames;
        for (int64_t n = 0; n < frames; n++) out[n] = x[c * frames + n];
        for (int64_t b = 0; b < bands; b++) {
            const double *f = from + SVF_NUMBERS * b, *t = to + SVF_NUMBERS * b;
            double *own = state + 2 * (c * bands + b), one = own[0], two = own[1];
            for (int64_t n = 0; n < frames; n++) {
                const double way = (double)(offset + n) / (double)span;
                const double g = f[0] + (t[0] - f[0]) * way, k = f[1] + (t[1] - f[1]) * way;
                const double v0 = out[n];
                const double v1 = (one + g * (v0 - two)) / (1.0 + g * (g + k));
                const double v2 = two + g * v1;
                one = 2.0 * v1 - one;
                two = 2.0 * v2 - two;
                const double a = f[2] + (t[2] - f[2]) * way, m = f[3] + (t[3] - f[3]) * way;
                out[n] = a * v0 + m * v1 + (f[4] + (t[4] - f[4]) * way) * v2;
            }
            own[0] = one;
            own[1] = two;
        }
    }
}
