/* A complex FFT whose bits are the same everywhere: radix 2, self-sorting (Stockham), twiddles given by the caller. */
#include "tapelog_kernels.h"

/* re and im [points], a power of two, transformed in place; scratch [2 points]; cosines and sines [points / 2] of
 * -2 pi k / points. Each stage writes sums and turned differences of halves; the inner loop runs over equal turns. */
TL_EXPORT void tl_fft(const double *cosines, const double *sines, double *re, double *im, double *scratch,
                      int64_t points) {
    double *from_re = re, *from_im = im, *to_re = scratch, *to_im = scratch + points;
    for (int64_t half = points / 2, stride = 1; half >= 1; half /= 2, stride *= 2) {
        for (int64_t p = 0; p < half; p++) {
            const double wr = cosines[p * stride], wi = sines[p * stride];
            const double *restrict ar = from_re + stride * p, *restrict ai = from_im + stride * p;
            const double *restrict br = ar + stride * half, *restrict bi = ai + stride * half;
            double *restrict sr = to_re + 2 * stride * p, *restrict si = to_im + 2 * stride * p;
            double *restrict dr = sr + stride, *restrict di = si + stride;
            for (int64_t q = 0; q < stride; q++) {
                const double x = ar[q] - br[q], y = ai[q] - bi[q];
                sr[q] = ar[q] + br[q];
                si[q] = ai[q] + bi[q];
                dr[q] = x * wr - y * wi;
                di[q] = x * wi + y * wr;
            }
        }
        double *swap = from_re;
        from_re = to_re;
        to_re = swap;
        swap = from_im;
        from_im = to_im;
        to_im = swap;
    }
    if (from_re != re)
        for (int64_t n = 0; n < points; n++) {
            re[n] = from_re[n];
            im[n] = from_im[n];
        }
}
