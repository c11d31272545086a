/* Partitioned convolution in the frequency domain: the sum over partitions, in their order. */
#include "tapelog_kernels.h"

TL_INLINE void add_products(const double *restrict ar, const double *restrict ai, const double *restrict br,
                            const double *restrict bi, double *restrict re, double *restrict im, int64_t points) {
    for (int64_t k = 0; k < points; k++) {
        re[k] += ar[k] * br[k] - ai[k] * bi[k];
        im[k] += ar[k] * bi[k] + ai[k] * br[k];
    }
}

/* Spectra of the past, past [partitions, 2, 2, points]: of the signal and of its conjugate, real and imaginary parts; the
 * newest stands at `newest`, older ones behind it, around the ring. straight and crossed [partitions, 2, points] are
 * those of the filter for the signal and, unless null, for its conjugate. re and im [points]. */
TL_EXPORT void tl_convolve(const double *past, int64_t newest, const double *straight, const double *crossed,
                           double *re, double *im, int64_t partitions, int64_t points) {
    for (int64_t k = 0; k < points; k++) re[k] = im[k] = 0.0;
    for (int64_t p = 0; p < partitions; p++) {
        const int64_t at = newest - p < 0 ? newest - p + partitions : newest - p;
        const double *signal = past + at * 4 * points, *filter = straight + p * 2 * points;
        add_products(signal, signal + points, filter, filter + points, re, im, points);
        if (crossed) {
            const double *other = crossed + p * 2 * points;
            add_products(signal + 2 * points, signal + 3 * points, other, other + points, re, im, points);
        }
    }
}
