/* Peaks between the samples: polyphase interpolation in float32, vectorised over time; only magnitudes are kept.
 *
 * Each sum runs over the taps in order, so its bits do not depend on the vector width. A stretch is skipped when its
 * largest sample times the largest sum of |taps| cannot reach the bound: that leaves the result unchanged.
 */
#include "tapelog_kernels.h"

typedef float v16f __attribute__((vector_size(64), aligned(4)));
typedef int32_t v16i __attribute__((vector_size(64), aligned(4)));

#if defined(__AVX2__) || defined(__aarch64__)
enum { VECTORS = 4 };
#else
enum { VECTORS = 2 }; /* sixteen 128-bit registers hold no more */
#endif
enum { LANES = 16, STRETCH = LANES * VECTORS };

TL_INLINE v16f magnitude(v16f x) { return (v16f)((v16i)x & 0x7fffffff); }

TL_INLINE v16f larger(v16f a, v16f b) {
    const v16i wins = (v16i)(a > b);
    return (v16f)((wins & (v16i)a) | (~wins & (v16i)b));
}

/* Magnitudes are compared as whole numbers, whose order is the same and whose maximum runs in vectors. */
TL_INLINE float largest_sample(const float *x, int64_t count) {
    uint32_t most = 0;
    for (int64_t n = 0; n < count; n++) {
        uint32_t bits;
        __builtin_memcpy(&bits, x + n, sizeof bits);
        bits &= 0x7fffffffu;
        most = bits > most ? bits : most;
    }
    float size;
    __builtin_memcpy(&size, &most, sizeof size);
    return size;
}

/* peak[n] = max(peak[n], |sum_k taps[p][k] x[n + k]|) for the 16 VECTORS frames from x on. */
TL_INLINE void stretch_peaks(const float *x, const float *taps, int64_t phases, int64_t count, v16f most[VECTORS]) {
    for (int64_t p = 0; p < phases; p++) {
        const float *phase = taps + p * count;
        v16f sum[VECTORS];
        for (int v = 0; v < VECTORS; v++) sum[v] = (v16f){0};
        for (int64_t k = 0; k < count; k++)
            for (int v = 0; v < VECTORS; v++) sum[v] += phase[k] * *(const v16f *)(x + k + LANES * v);
        for (int v = 0; v < VECTORS; v++) most[v] = larger(magnitude(sum[v]), most[v]);
    }
}

TL_INLINE float frame_peak(const float *x, const float *taps, int64_t phases, int64_t count, float most) {
    for (int64_t p = 0; p < phases; p++) {
        float sum = 0.0f;
        for (int64_t k = 0; k < count; k++) sum += taps[p * count + k] * x[k];
        const float size = __builtin_fabsf(sum);
        most = size > most ? size : most;
    }
    return most;
}

/* Raise peak [frames] to the interpolated peaks of x [frames + count - 1]; stretches that stay below bound are left. */
TL_EXPORT void tl_interpolated_peaks(const float *x, const float *taps, int64_t phases, int64_t count, float gain_sum,
                                     float bound, float *peak, int64_t frames) {
    int64_t n = 0;
    for (; n + STRETCH <= frames; n += STRETCH) {
        if (largest_sample(x + n, STRETCH + count - 1) * gain_sum <= bound) continue;
        v16f most[VECTORS];
        for (int v = 0; v < VECTORS; v++) most[v] = *(v16f *)(peak + n + LANES * v);
        stretch_peaks(x + n, taps, phases, count, most);
        for (int v = 0; v < VECTORS; v++) *(v16f *)(peak + n + LANES * v) = most[v];
    }
    if (n < frames && largest_sample(x + n, frames - n + count - 1) * gain_sum <= bound) return;
    for (; n < frames; n++) peak[n] = frame_peak(x + n, taps, phases, count, peak[n]);
}

/* Return the largest interpolated magnitude of x [frames + count - 1], or `most` when that is larger. */
TL_EXPORT float tl_interpolated_maximum(const float *x, const float *taps, int64_t phases, int64_t count,
                                        float gain_sum, float most, int64_t frames) {
    int64_t n = 0;
    for (; n + STRETCH <= frames; n += STRETCH) {
        if (largest_sample(x + n, STRETCH + count - 1) * gain_sum <= most) continue;
        v16f sizes[VECTORS];
        for (int v = 0; v < VECTORS; v++) sizes[v] = (v16f){0};
        stretch_peaks(x + n, taps, phases, count, sizes);
        for (int v = 0; v < VECTORS; v++)
            for (int lane = 0; lane < LANES; lane++) most = sizes[v][lane] > most ? sizes[v][lane] : most;
    }
    for (; n < frames; n++) most = frame_peak(x + n, taps, phases, count, most);
    return most;
}
