/* Mains hum: a family of sinusoids at whole multiples of one moving phase, taken out of and put into a signal.
 *
 * The harmonics follow from the first by complex multiplication, so one sine and one cosine per sample serve all.
 */
#include "tapelog_kernels.h"

enum { HARMONICS_MAX = 64 };

/* sin(u) and cos(u) for |u| <= pi/4, Taylor to the last bit or two. */
TL_INLINE double small_sin(double u) {
    const double s = u * u;
    double p = -7.6471637318198164759e-13;
    p = p * s + 1.6059043836821614599e-10;
    p = p * s - 2.5052108385441718775e-8;
    p = p * s + 2.7557319223985890653e-6;
    p = p * s - 1.9841269841269841270e-4;
    p = p * s + 8.3333333333333333333e-3;
    p = p * s - 0.16666666666666666667;
    return u + u * (s * p);
}

TL_INLINE double small_cos(double u) {
    const double s = u * u;
    double p = 4.7794773323873852974e-14;
    p = p * s - 1.1470745597729724714e-11;
    p = p * s + 2.0876756987868098979e-9;
    p = p * s - 2.7557319223985890653e-7;
    p = p * s + 2.4801587301587301587e-5;
    p = p * s - 1.3888888888888888889e-3;
    p = p * s + 4.1666666666666666667e-2;
    p = p * s - 0.5;
    return 1.0 + s * p;
}

/* cos and sin of 2 pi t: whole turns dropped, then the nearest quarter. */
TL_INLINE void cos_sin_turns(double t, double *c, double *s) {
    const double magic = 6755399441055744.0; /* 1.5 * 2^52: adding it rounds to the nearest whole number */
    const double quarters = t * 4.0;
    const double shifted = quarters + magic;
    const double u = (quarters - (shifted - magic)) * 1.5707963267948966;
    const double a = small_cos(u), b = small_sin(u);
    switch (tl_bits(shifted) & 3) {
        case 0: *c = a; *s = b; break;
        case 1: *c = -b; *s = a; break;
        case 2: *c = -a; *s = -b; break;
        default: *c = b; *s = -a; break;
    }
}

/* z[m][h] = sum over block m of x e^(-2 pi i (h + 1) turns), real and imaginary part; `frames / block` whole blocks. */
TL_EXPORT void tl_hum_demodulate(const double *x, const double *turns, int64_t frames, int64_t harmonics,
                                 int64_t block, double *z) {
    double real[HARMONICS_MAX], imaginary[HARMONICS_MAX];
    for (int64_t m = 0; m < frames / block; m++) {
        for (int64_t h = 0; h < harmonics; h++)
            real[h] = imaginary[h] = 0.0;
        for (int64_t i = m * block; i < (m + 1) * block; i++) {
            double c1, s1;
            cos_sin_turns(turns[i], &c1, &s1);
            double c = c1, s = s1;
            for (int64_t h = 0; h < harmonics; h++) {
                real[h] += x[i] * c;
                imaginary[h] -= x[i] * s;
                const double next = c * c1 - s * s1;
                s = s * c1 + c * s1;
                c = next;
            }
        }
        for (int64_t h = 0; h < harmonics; h++) {
            z[2 * (m * harmonics + h)] = real[h];
            z[2 * (m * harmonics + h) + 1] = imaginary[h];
        }
    }
}

/* y[i] += sum over h of Re(A[h] e^(2 pi i (h + 1) turns[i])); A moves in straight lines between knots of `hop` frames,
 * `frames / hop + 2` of them. */
TL_EXPORT void tl_hum_modulate(const double *turns, int64_t frames, int64_t harmonics, int64_t hop,
                               const double *knots, double *y) {
    for (int64_t i = 0; i < frames; i++) {
        const int64_t k = i / hop;
        const double part = (double)(i - k * hop) / (double)hop;
        const double *here = knots + 2 * k * harmonics, *next = here + 2 * harmonics;
        double c1, s1;
        cos_sin_turns(turns[i], &c1, &s1);
        double c = c1, s = s1, sum = 0.0;
        for (int64_t h = 0; h < harmonics; h++) {
            const double real = here[2 * h] + part * (next[2 * h] - here[2 * h]);
            const double imaginary = here[2 * h + 1] + part * (next[2 * h + 1] - here[2 * h + 1]);
            sum += real * c - imaginary * s;
            const double turned = c * c1 - s * s1;
            s = s * c1 + c * s1;
            c = turned;
        }
        y[i] += sum;
    }
}
