/* The limiter's ear: the peaks between the samples, worked out only where they could exceed the ceiling.
 *
 * An interpolated value lies near the straight line between its two neighbours unless the wave bends: with the taps h
 * split into that line and a rest whose sum and first moment are zero, y = line + sum_k g[k] d[k], d the second
 * differences of the samples and g the rest summed twice. So |y| <= line gain * largest neighbour + sum over blocks of
 * (largest sum of |g| in the block) * (largest |d| of the block): a bound that costs a few operations per 16 frames and
 * lets most of a loud master pass. What is not passed is worked out as in truepeak.c: taps in order, float32. */
#include "tapelog_kernels.h"

typedef float v16f __attribute__((vector_size(64), aligned(4)));
typedef int32_t v16i __attribute__((vector_size(64), aligned(4)));

#if defined(__AVX512F__)
enum { TOGETHER = 8 };
#elif defined(__AVX2__) || defined(__aarch64__)
enum { TOGETHER = 4 };
#else
enum { TOGETHER = 2 }; /* phases whose sums fit the registers */
#endif

/* BLOCKS: those that the longest table reaches from one stretch, REACH of them on either side. The same in
 * kernels/limiter.py, as are the fields of a table. */
enum { STRETCH = 16, REACH = 4, BLOCKS = 2 * REACH + 1, SPAN = 64 };
enum { TAPS, PHASES, COUNT, CENTRE, BOUNDS, FIELDS };

TL_INLINE v16f magnitude(v16f x) { return (v16f)((v16i)x & 0x7fffffff); }

TL_INLINE v16f larger(v16f a, v16f b) {
    const v16i wins = (v16i)(a > b);
    return (v16f)((wins & (v16i)a) | (~wins & (v16i)b));
}

TL_INLINE float largest(v16f x) {
    float most = x[0];
    for (int k = 1; k < STRETCH; k++) most = x[k] > most ? x[k] : most;
    return most;
}

TL_INLINE v16f load(const float *from) { return *(const v16f *)from; }

/* most = max(most, |sum_k taps[p][k] x[n + k]|) over the phases, for 16 frames. */
static v16f stretch_peaks(const float *x, const float *taps, int64_t phases, int64_t count, v16f most) {
    int64_t p = 0;
    for (; p + TOGETHER <= phases; p += TOGETHER) {
        v16f sum[TOGETHER];
        for (int j = 0; j < TOGETHER; j++) sum[j] = (v16f){0};
        for (int64_t k = 0; k < count; k++) {
            const v16f now = load(x + k);
            for (int j = 0; j < TOGETHER; j++) sum[j] += taps[(p + j) * count + k] * now;
        }
        for (int j = 0; j < TOGETHER; j++) most = larger(magnitude(sum[j]), most);
    }
    for (; p < phases; p++) {
        v16f sum = {0};
        for (int64_t k = 0; k < count; k++) sum += taps[p * count + k] * load(x + k);
        most = larger(magnitude(sum), most);
    }
    return most;
}

/* Largest second difference of every block, the first one REACH blocks before the sample at x; `room` samples before
 * it and `left` from it on may be read. */
static void bends(const float *x, int64_t room, int64_t left, int64_t blocks, float *out) {
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t at = (b - REACH) * STRETCH;
        if (at - 1 >= -room && at + STRETCH + 1 <= left) {
            const v16f middle = load(x + at);
            out[b] = largest(magnitude((load(x + at - 1) - middle) + (load(x + at + 1) - middle)));
            continue;
        }
        float most = 0.0f;
        for (int64_t k = at; k < at + STRETCH; k++) {
            if (k - 1 < -room || k + 2 > left) continue;
            const float bend = __builtin_fabsf((x[k - 1] - x[k]) + (x[k + 1] - x[k]));
            most = bend > most ? bend : most;
        }
        out[b] = most;
    }
}

/* peak[n] = largest magnitude at sample n and after it up to the next one, over channels and tables; what is at or below
 * `bound` may be left at the sample's own magnitude.
 *
 * x [channels, stride]: the sample of frame n is number before + n; before, and length - before - frames samples after
 * the last one, are there for the tables; STRETCH more may be read and are not used. tables [count, FIELDS]: address of
 * taps [phases, taps], phases, taps, place of frame n among them, address of [1 + BLOCKS] gains of the bound. */
TL_EXPORT void tl_limiter_peaks(const float *x, int64_t channels, int64_t stride, int64_t length, int64_t before,
                                const uint64_t *tables, int64_t count, float bound, float *peak, int64_t frames) {
    float bent[SPAN + 2 * REACH];
    for (int64_t c = 0; c < channels; c++) {
        const float *row = x + c * stride + before;
        for (int64_t at = 0; at < frames; at += STRETCH) {
            const int64_t number = at / STRETCH % SPAN;
            if (!number) bends(row + at, before + at, length - before - at, SPAN + 2 * REACH, bent);
            const v16f sizes = magnitude(load(row + at));
            const float next = __builtin_fabsf(row[at + STRETCH]), most = largest(sizes);
            const float level = next > most ? next : most;
            v16f found = sizes;
            for (int64_t t = 0; t < count; t++) {
                const uint64_t *table = tables + FIELDS * t;
                const float *gains = (const float *)(uintptr_t)table[BOUNDS];
                float reach = gains[0] * level;
                for (int b = 0; b < BLOCKS; b++) reach += gains[1 + b] * bent[number + b];
                if (reach <= bound) continue;
                found = stretch_peaks(row + at - (int64_t)table[CENTRE], (const float *)(uintptr_t)table[TAPS],
                                      (int64_t)table[PHASES], (int64_t)table[COUNT], found);
            }
            if (at + STRETCH <= frames) {
                *(v16f *)(peak + at) = c ? larger(found, load(peak + at)) : found;
            } else {
                for (int64_t k = 0; at + k < frames; k++)
                    peak[at + k] = c && peak[at + k] > found[k] ? peak[at + k] : found[k];
            }
        }
    }
}
