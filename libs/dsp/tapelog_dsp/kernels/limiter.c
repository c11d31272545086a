/* The limiter's gain: two envelopes over the reduction needed, the larger one smoothed by two box averages.
 *
 * One unit of gain reduction in whole numbers: sums of them have no rounding, so that the average over a window is
 * exactly zero again after a peak has passed, and below the ceiling the gain is exactly 1. */
#include "tapelog_kernels.h"

enum { CHUNK = 64 };

static const double UNIT = 1099511627776.0; /* 2^40 */

/* Order of shape, factors and state, the same in kernels/limiter.py. */
enum { AHEAD, HOLD, FIRST_BOX, SECOND_BOX };
enum { RELEASE, SLOW_ATTACK, SLOW_RELEASE };
enum { CLOCK, AHEAD_HEAD, AHEAD_TAIL, HOLD_HEAD, HOLD_TAIL, RELEASED, SLOW, FIRST_SUM, SECOND_SUM, RINGS };

/* The largest of the last `window` values: a queue of those that no later one exceeds, in a ring. */
typedef struct {
    int64_t *values, *times, window, first, last, count;
} Largest;

static Largest largest_of(int64_t *ring, int64_t window, int64_t head, int64_t tail) {
    const Largest queue = {ring, ring + window, window, head % window, (tail + window - 1) % window, tail - head};
    return queue;
}

TL_INLINE int64_t largest(Largest *queue, int64_t clock, int64_t value) {
    if (queue->count && queue->values[queue->last] == value) {
        queue->times[queue->last] = clock;
    } else {
        while (queue->count && queue->values[queue->last] <= value) {
            queue->last = (queue->last ? queue->last : queue->window) - 1;
            queue->count--;
        }
        queue->last = queue->last + 1 == queue->window ? 0 : queue->last + 1;
        queue->values[queue->last] = value;
        queue->times[queue->last] = clock;
        queue->count++;
    }
    if (queue->times[queue->first] <= clock - queue->window) {
        queue->first = queue->first + 1 == queue->window ? 0 : queue->first + 1;
        queue->count--;
    }
    return queue->values[queue->first];
}

TL_INLINE int is_zero(const Largest *queue) { return !queue->count || !queue->values[queue->first]; }

/* As if zeros had been added until `clock` to a queue of zeros. */
TL_INLINE void stay_zero(Largest *queue, int64_t clock) {
    queue->first = queue->last;
    queue->count = 1;
    queue->values[queue->last] = 0;
    queue->times[queue->last] = clock;
}

TL_INLINE float loudest(const float *peak, int64_t count) {
    float most = 0.0f;
    for (int64_t n = 0; n < count; n++) most = peak[n] > most ? peak[n] : most;
    return most;
}

/* Reduction needed per sample -> its maximum over the look-ahead, with a fast exponential release; beside it the maximum
 * over the longer hold, averaged, which carries what is limited all the time, so that the fast one need not follow the
 * wave. Every average is taken over values that are each enough, so it is enough.
 *
 * peak [frames] is the detector's; shape = windows and boxes in frames; factors = one-pole steps per frame. state: nine
 * numbers, then the rings: values and times of both windows, first box, second box. */
TL_EXPORT void tl_limit(const int64_t *shape, double ceiling, const double *factors, int64_t *state, const float *peak,
                        double *gain, int64_t frames) {
    const int64_t one = shape[FIRST_BOX], two = shape[SECOND_BOX];
    int64_t *const ahead_ring = state + RINGS, *const hold_ring = ahead_ring + 2 * shape[AHEAD];
    int64_t *const first = hold_ring + 2 * shape[HOLD], *const second = first + one;
    Largest ahead = largest_of(ahead_ring, shape[AHEAD], state[AHEAD_HEAD], state[AHEAD_TAIL]);
    Largest hold = largest_of(hold_ring, shape[HOLD], state[HOLD_HEAD], state[HOLD_TAIL]);
    int64_t clock = state[CLOCK], released = state[RELEASED], slow = state[SLOW];
    int64_t first_sum = state[FIRST_SUM], second_sum = state[SECOND_SUM];
    int64_t first_at = clock % one, second_at = clock % two;
    const double scale = 1.0 / ((double)(one * two) * UNIT);

    for (int64_t at = 0; at < frames; at += CHUNK) {
        const int64_t stop = frames - at < CHUNK ? frames : at + CHUNK;
        const int below = !((double)loudest(peak + at, stop - at) > ceiling);
        if (below && !(released | slow | first_sum | second_sum) && is_zero(&ahead) && is_zero(&hold)) {
            /* Nothing is limited and nothing is left of what was: every ring holds zeros and stays as it is. */
            for (int64_t n = at; n < stop; n++) gain[n] = 1.0;
            clock += stop - at;
            stay_zero(&ahead, clock - 1);
            stay_zero(&hold, clock - 1);
            first_at = clock % one;
            second_at = clock % two;
            continue;
        }
        for (int64_t n = at; n < stop; n++, clock++) {
            const double level = (double)peak[n];
            const int64_t needed = level > ceiling ? (int64_t)((1.0 - ceiling / level) * UNIT) + 1 : 0;
            const int64_t now = largest(&ahead, clock, needed), held = largest(&hold, clock, now);
            if (held >= slow) {
                slow += (int64_t)((double)(held - slow) * factors[SLOW_ATTACK]);
            } else {
                slow -= (int64_t)((double)(slow - held) * factors[SLOW_RELEASE]) + 1;
            }
            const int64_t falling = (int64_t)((double)released * factors[RELEASE]);
            released = now > falling ? now : falling;
            released = released > slow ? released : slow;
            first_sum += released - first[first_at];
            first[first_at] = released;
            first_at = first_at + 1 == one ? 0 : first_at + 1;
            second_sum += first_sum - second[second_at];
            second[second_at] = first_sum;
            second_at = second_at + 1 == two ? 0 : second_at + 1;
            gain[n] = 1.0 - (double)second_sum * scale;
        }
    }
    state[CLOCK] = clock;
    state[AHEAD_HEAD] = ahead.first;
    state[AHEAD_TAIL] = ahead.first + ahead.count;
    state[HOLD_HEAD] = hold.first;
    state[HOLD_TAIL] = hold.first + hold.count;
    state[RELEASED] = released;
    state[SLOW] = slow;
    state[FIRST_SUM] = first_sum;
    state[SECOND_SUM] = second_sum;
}
