/* The overview of a signal: lowest and highest sample of each bucket, buckets joined in pairs when there is no more room. */
#include "vectors.h"

enum { LANES = 8 };
enum { BUCKET_FRAMES, OPEN_FRAMES, COUNT };

typedef struct {
    double low, high;
} Range;

TL_INLINE Range range_of(const double *x, int64_t frames, Range range) {
    int64_t n = 0;
    if (frames >= LANES) {
        v8d low = load8(x), high = low;
        for (n = LANES; n + LANES <= frames; n += LANES) {
            const v8d now = load8(x + n);
            low = min8(now, low);
            high = max8(now, high);
        }
        for (int k = 0; k < LANES; k++) {
            range.low = tl_min(low[k], range.low);
            range.high = tl_max(high[k], range.high);
        }
    }
    for (; n < frames; n++) {
        range.low = tl_min(x[n], range.low);
        range.high = tl_max(x[n], range.high);
    }
    return range;
}

/* One channel; its buckets are low and high [room], room an even number. */
static void row_of(const double *x, int64_t frames, int64_t *clock, double *open, double *low, double *high,
                   int64_t room) {
    for (int64_t n = 0; n < frames;) {
        const int64_t left = clock[BUCKET_FRAMES] - clock[OPEN_FRAMES], taken = left < frames - n ? left : frames - n;
        const Range before = {clock[OPEN_FRAMES] ? open[0] : x[n], clock[OPEN_FRAMES] ? open[1] : x[n]};
        const Range range = range_of(x + n, taken, before);
        n += taken;
        clock[OPEN_FRAMES] += taken;
        open[0] = range.low;
        open[1] = range.high;
        if (clock[OPEN_FRAMES] < clock[BUCKET_FRAMES]) continue;
        low[clock[COUNT]] = range.low;
        high[clock[COUNT]] = range.high;
        clock[OPEN_FRAMES] = 0;
        if (++clock[COUNT] < room) continue;
        clock[COUNT] /= 2;
        clock[BUCKET_FRAMES] *= 2;
        for (int64_t k = 0; k < clock[COUNT]; k++) {
            low[k] = tl_min(low[2 * k], low[2 * k + 1]);
            high[k] = tl_max(high[2 * k], high[2 * k + 1]);
        }
    }
}

/* The next frames of every channel, x + c * stride one of them. clock [3]: frames of a bucket, those of the one that is
 * open, finished buckets; open [channels, 2]: lowest and highest so far in the open one; low, high [channels, room]. */
TL_EXPORT void tl_waveform(const double *x, int64_t channels, int64_t stride, int64_t frames, int64_t *clock,
                           double *open, double *low, double *high, int64_t room) {
    int64_t moved[3] = {clock[BUCKET_FRAMES], clock[OPEN_FRAMES], clock[COUNT]};
    for (int64_t c = 0; c < channels; c++) {
        int64_t own[3] = {clock[BUCKET_FRAMES], clock[OPEN_FRAMES], clock[COUNT]};
        row_of(x + c * stride, frames, own, open + 2 * c, low + c * room, high + c * room, room);
        for (int k = 0; k < 3; k++) moved[k] = own[k];
    }
    for (int k = 0; k < 3; k++) clock[k] = moved[k];
}
