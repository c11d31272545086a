/* The limiter's gain: two envelopes over the reduction needed, the larger one smoothed by two box averages.
 *
 * One unit of gain reduction in whole numbers: sums of them have no rounding, so that the average over a window is
 * exactly zero again after a peak has passed, and below the ceiling the gain is exactly 1. */
#include "tapelog_kernels.h"

static const double UNIT = 1099511627776.0; /* 2^40 */

/* Order of shape, factors and state, the same in kernels/limiter.py. */
enum { AHEAD, HOLD, FIRST_BOX, SECOND_BOX };
enum { RELEASE, SLOW_ATTACK, SLOW_RELEASE };
enum { CLOCK, AHEAD_HEAD, AHEAD_TAIL, HOLD_HEAD, HOLD_TAIL, RELEASED, SLOW, FIRST_SUM, SECOND_SUM, RINGS };

/* The largest of the last `window` values: a queue of those that no later one exceeds. */
typedef struct {
    int64_t *values, *times, window, head, tail;
} Largest;

TL_INLINE int64_t largest(Largest *queue, int64_t clock, int64_t value) {
    while (queue->tail > queue->head && queue->values[(queue->tail - 1) % queue->window] <= value) queue->tail--;
    queue->values[queue->tail % queue->window] = value;
    queue->times[queue->tail % queue->window] = clock;
    queue->tail++;
    if (queue->times[queue->head % queue->window] <= clock - queue->window) queue->head++;
    return queue->values[queue->head % queue->window];
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
    Largest ahead = {ahead_ring, ahead_ring + shape[AHEAD], shape[AHEAD], state[AHEAD_HEAD], state[AHEAD_TAIL]};
    Largest hold = {hold_ring, hold_ring + shape[HOLD], shape[HOLD], state[HOLD_HEAD], state[HOLD_TAIL]};
    int64_t clock = state[CLOCK], released = state[RELEASED], slow = state[SLOW];
    int64_t first_sum = state[FIRST_SUM], second_sum = state[SECOND_SUM];
    const double scale = 1.0 / ((double)(one * two) * UNIT);

    for (int64_t n = 0; n < frames; n++, clock++) {
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
        first_sum += released - first[clock % one];
        first[clock % one] = released;
        second_sum += first_sum - second[clock % two];
        second[clock % two] = first_sum;
        gain[n] = 1.0 - (double)second_sum * scale;
    }
    state[CLOCK] = clock;
    state[AHEAD_HEAD] = ahead.head;
    state[AHEAD_TAIL] = ahead.tail;
    state[HOLD_HEAD] = hold.head;
    state[HOLD_TAIL] = hold.tail;
    state[RELEASED] = released;
    state[SLOW] = slow;
    state[FIRST_SUM] = first_sum;
    state[SECOND_SUM] = second_sum;
}
