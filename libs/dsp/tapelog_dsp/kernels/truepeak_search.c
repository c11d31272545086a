/* The largest interpolated magnitude of a programme, found without interpolating most of it.
 *
 * An interpolator of unit gain is a straight line between the two nearest samples plus a filter q of the second
 * differences v[n] = (x[n] - 2 x[n + 1] + x[n + 2]) / 4. So no value between two samples exceeds
 * sigma * max(|x0|, |x1|) + sum_k e[k] |v[k]|, where e[k] is the largest |q[k]| of all phases and interpolators. Music
 * bends little, and where it does not reach the largest value so far by that bound it need not be looked at: the
 * result stays the same. The bound is taken three times: with the largest |v| for a block, then with sums of |v| over
 * nested windows for each frame, then with every e[k] where those reach. What is left is interpolated with the phases as lanes; each sum runs over the taps in order.
 */
#include "tapelog_kernels.h"

typedef float v16f __attribute__((vector_size(64), aligned(4)));
typedef int32_t v16i __attribute__((vector_size(64), aligned(4)));

#if defined(__AVX2__) || defined(__aarch64__)
enum { PLACES = 4 };
#else
enum { PLACES = 2 }; /* sixteen 128-bit registers hold no more */
#endif
enum {
    LANES = 16,
    TAPS = 128,
    BEFORE = TAPS - 1,
    NEAR = TAPS / 2 - 1, /* the window's values lie between this sample and the next */
    SHORT_TAPS = 12,
    SHORT_FIRST = NEAR - 5,
    BLOCK = 64,
    CHUNK = 16 * BLOCK,
    ROOM = CHUNK + 4 * BLOCK,
    RINGS = 10, /* nested windows of 2, 4, 6, 8, 12, 16, 24, 32, 48 and 64 second differences */
    REACH = TAPS - 2,
};

TL_INLINE v16f magnitude(v16f x) { return (v16f)((v16i)x & 0x7fffffff); }

/* Of magnitudes: compared as whole numbers, whose order is the same. */
TL_INLINE v16f larger(v16f a, v16f b) { return (v16f)__builtin_elementwise_max((v16i)a, (v16i)b); }

TL_INLINE float largest(v16f x) {
    const int32_t bits = __builtin_reduce_max((v16i)x);
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

TL_INLINE float max2(float a, float b) { return a > b ? a : b; }

typedef struct {
    const float *lanes;  /* [TAPS, 16]: the long interpolator, phases as lanes */
    const float *others; /* [SHORT_TAPS, 16]: 4 phases of one, 3 of the other; null where they are not asked for */
    const float *bound;  /* sigma, the sum of e, its steps from ring to ring, its height outside them, e [REACH] */
    float *most;         /* long, ITU, Hann */
    float floor;         /* what every reading is at least */
} Search;

TL_INLINE float to_beat(const Search *s) {
    float least = max2(s->most[0], s->floor);
    if (s->others)
        for (int i = 1; i < 3; i++) {
            const float one = max2(s->most[i], s->floor);
            least = one < least ? one : least;
        }
    return least;
}

/* Interpolate at `count` windows. */
TL_INLINE void interpolate(const int count, const Search *s, const float *x, const int32_t *places) {
    v16f sum[PLACES], few[PLACES];
    for (int i = 0; i < count; i++) sum[i] = few[i] = (v16f){0};
    for (int k = 0; k < TAPS; k++)
        for (int i = 0; i < count; i++) sum[i] += *(const v16f *)(s->lanes + LANES * k) * x[places[i] + k];
    if (s->others)
        for (int k = 0; k < SHORT_TAPS; k++)
            for (int i = 0; i < count; i++)
                few[i] += *(const v16f *)(s->others + LANES * k) * x[places[i] + SHORT_FIRST + k];
    for (int i = 0; i < count; i++) {
        s->most[0] = max2(s->most[0], largest(magnitude(sum[i])));
        if (!s->others) continue;
        const v16f sizes = magnitude(few[i]);
        for (int p = 0; p < 7; p++) s->most[p < 4 ? 1 : 2] = max2(s->most[p < 4 ? 1 : 2], sizes[p]);
    }
}

TL_INLINE void pair_sums(const float *from, const int step, float *to, const int count) {
    for (int n = 0; n < count; n += LANES)
        *(v16f *)(to + n) = *(const v16f *)(from + n) + *(const v16f *)(from + n + step);
}

/* The sum of e[k] |v[k]| for the sixteen windows from v on. */
TL_INLINE v16f bent(const float *e, const float *v) {
    v16f even = {0}, odd = {0};
    for (int k = 0; k < REACH; k += 2) {
        even += e[k] * *(const v16f *)(v + k);
        odd += e[k + 1] * *(const v16f *)(v + k + 1);
    }
    return even + odd;
}

/* Write the windows of a block whose bound reaches `limit`; return how many. x and v begin at the block's first. */
TL_INLINE int reaching(const Search *s, const float *x, const float *v, float limit, int32_t first, int32_t *places) {
    enum { SPAN = 3 * BLOCK };
    float two[SPAN], four[SPAN], eight[SPAN], sixteen[SPAN], many[SPAN];
    v16f all = {0};
    pair_sums(v, 1, two, SPAN);
    pair_sums(two, 2, four, SPAN - LANES);
    pair_sums(four, 4, eight, SPAN - 2 * LANES);
    pair_sums(eight, 8, sixteen, SPAN - 3 * LANES);
    pair_sums(sixteen, 16, many, SPAN - 4 * LANES);
    for (int n = 0; n < 3 * BLOCK; n += LANES) all += *(const v16f *)(v + n);
    float rest = 0.0f;
    for (int i = 0; i < LANES; i++) rest += all[i];
    const float *step = s->bound + 2;
    rest *= step[RINGS];
    int count = 0;
#define AT(sums, k) (*(const v16f *)((sums) + n + (k)))
    for (int n = 0; n < BLOCK; n += LANES) {
        const v16f line = s->bound[0] * larger(magnitude(AT(x, NEAR)), magnitude(AT(x, NEAR + 1)));
        v16f reach = line + rest;
        reach += step[0] * AT(two, 62) + step[1] * AT(four, 61) + step[2] * (AT(four, 60) + AT(two, 64));
        reach += step[3] * AT(eight, 59) + step[4] * (AT(eight, 57) + AT(four, 65)) + step[5] * AT(sixteen, 55);
        reach += step[6] * (AT(sixteen, 51) + AT(eight, 67)) + step[7] * AT(many, 47);
        reach += step[8] * (AT(many, 39) + AT(sixteen, 71)) + step[9] * (AT(many, 31) + AT(many, 63));
        if (largest(reach) <= limit) continue;
        reach = line + bent(step + RINGS + 1, v + n);
        if (largest(reach) <= limit) continue;
        for (int i = 0; i < LANES; i++)
            if (reach[i] > limit) places[count++] = first + n + i;
    }
#undef AT
    return count;
}

/* Look at `frames` windows from x on; x [frames + BEFORE] is followed by something harmless up to ROOM. */
static void search_chunk(const Search *s, const float *x, int64_t frames) {
    float v[ROOM], bends[ROOM / BLOCK], sizes[ROOM / BLOCK];
    const int blocks = (int)((frames + BLOCK - 1) / BLOCK);
    float loudest = 0.0f;
    for (int b = 0; b < blocks + 2; b++) {
        v16f bend = {0}, size = {0};
        for (int n = BLOCK * b; n < BLOCK * (b + 1); n += LANES) {
            const v16f now = *(const v16f *)(x + n), middle = *(const v16f *)(x + n + 1);
            const v16f bent = magnitude(((now - middle) - (middle - *(const v16f *)(x + n + 2))) * 0.25f);
            *(v16f *)(v + n) = bent;
            bend = larger(bend, bent);
            size = larger(size, magnitude(now));
        }
        bends[b] = largest(bend);
        sizes[b] = largest(size);
        loudest = max2(loudest, sizes[b]);
    }
    for (int n = BLOCK * (blocks + 2); n < BLOCK * (blocks + 2) + LANES; n++) v[n] = 0.0f;
    int32_t places[CHUNK + BLOCK];
    int waiting = 0, done = 0;
    for (int b = 0; b < blocks; b++) {
        /* The sums of interpolation and bound are rounded: by less than 3e-5 of the largest sample they run over. */
        const float limit = to_beat(s) * (1.0f - 1e-4f) - 4e-5f * loudest;
        const float near = max2(sizes[b + 1], __builtin_fabsf(x[BLOCK * (b + 1) - 1]));
        const float bend = max2(bends[b], max2(bends[b + 1], bends[b + 2]));
        if (s->bound[0] * near + s->bound[1] * bend <= limit) continue;
        waiting += reaching(s, x + BLOCK * b, v + BLOCK * b, limit, BLOCK * b, places + waiting);
        while (waiting > done && places[waiting - 1] >= frames) waiting--;
        while (waiting - done >= PLACES) {
            interpolate(PLACES, s, x, places + done);
            done += PLACES;
        }
    }
    for (; done < waiting; done++) interpolate(1, s, x, places + done);
}

/* Round to single precision and return the largest magnitude; double precision is compared as whole numbers too. */
TL_INLINE double rounded(const double *x, float *to, int64_t count) {
    uint64_t most = 0;
    for (int64_t n = 0; n < count; n++) {
        to[n] = (float)x[n];
        const uint64_t bits = tl_bits(x[n]) & 0x7fffffffffffffffull;
        most = bits > most ? bits : most;
    }
    return tl_from_bits(most);
}

/* Raise most [3] to the interpolated magnitudes of the programme's next `frames` samples of one channel, and peak [1] to
 * their largest magnitude.
 *
 * kept [BEFORE] is the end of what came before and moves on. others may be null: then only most[0] is raised. Values
 * that do not exceed the peak may be left out. */
TL_EXPORT void tl_true_peak(const double *x, int64_t frames, float *kept, const float *lanes, const float *others,
                            const float *bound, double *peak, float *most) {
    Search search = {lanes, others, bound, most, 0.0f};
    float window[BEFORE + ROOM];
    for (int k = 0; k < BEFORE; k++) window[k] = kept[k];
    for (int64_t begun = 0; begun < frames; begun += CHUNK) {
        const int64_t count = frames - begun < CHUNK ? frames - begun : CHUNK;
        const double size = rounded(x + begun, window + BEFORE, count);
        if (size > *peak) *peak = size;
        /* A little below the peak, so that rounding it cannot leave out a value above it. */
        search.floor = (float)(*peak * (1.0 - 1e-6));
        const int64_t end = BEFORE + count;
        for (int64_t n = end; n < end + 2 * BLOCK; n++) window[n] = window[end - 1];
        search_chunk(&search, window, count);
        for (int k = 0; k < BEFORE; k++) window[k] = window[count + k];
    }
    for (int k = 0; k < BEFORE; k++) kept[k] = window[k];
}
