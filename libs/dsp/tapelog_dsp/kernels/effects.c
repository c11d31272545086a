/* Effects with long memories: the delay and the plate reverb. */
#include "tapelog_kernels.h"

/* One-pole low-pass y += b (x - y), and the high-pass that is what it leaves over. */
TL_INLINE double smooth(double *state, double b, double x) {
    *state += b * (x - *state);
    return *state;
}

/* A feedback delay. ring [channels, length], filters [channels, 2]; the echo is filtered before it goes round again.
 * y = x * dry + echo * wet. `clock` is the ring position. channels = -2 is a ping-pong: the sum of both sides enters the
 * left line, the left line's echo the right one, the right one's the left again. */
TL_EXPORT void tl_delay(double *ring, double *filters, int64_t length, int64_t clock, double feedback, double lowpass,
                        double highpass, double wet, double dry, const double *x, double *y, int64_t channels,
                        int64_t frames) {
    if (channels == -2) {
        double *left = ring, *right = ring + length;
        int64_t at = clock;
        for (int64_t n = 0; n < frames; n++) {
            const double a = x[n], b = x[frames + n];
            double first = smooth(filters, lowpass, left[at]), second = smooth(filters + 2, lowpass, right[at]);
            first -= smooth(filters + 1, highpass, first);
            second -= smooth(filters + 3, highpass, second);
            left[at] = 0.5 * (a + b) + second * feedback;
            right[at] = first * feedback;
            at = at + 1 == length ? 0 : at + 1;
            y[n] = a * dry + first * wet;
            y[frames + n] = b * dry + second * wet;
        }
        return;
    }
    for (int64_t c = 0; c < channels; c++) {
        double *line = ring + c * length, *memory = filters + 2 * c;
        int64_t at = clock;
        for (int64_t n = 0; n < frames; n++) {
            const double in = x[c * frames + n];
            double echo = smooth(memory, lowpass, line[at]);
            echo -= smooth(memory + 1, highpass, echo);
            line[at] = in + echo * feedback;
            at = at + 1 == length ? 0 : at + 1;
            y[c * frames + n] = in * dry + echo * wet;
        }
    }
}

/* J. Dattorro, "Effect Design, Part 1", JAES 45(9), 1997: the plate. Two tanks feed each other in a figure of eight. */
enum { IN_1, IN_2, IN_3, IN_4, L_SWING, L_FAR, L_DIFF, L_NEAR, R_SWING, R_FAR, R_DIFF, R_NEAR, PRE, LINES };
enum { BANDWIDTH, LOWCUT, DECAY, DAMPING, EXCURSION, LFO_COS, LFO_SIN, WET, DRY, PREDELAY, PARAMETERS };
enum { P_BAND, P_LOW, P_DAMP_L, P_DAMP_R, P_TURN_L, P_TURN_R, P_COS, P_SIN, P_HEAD, POLES };
enum { TAPS_PER_SIDE = 7 };

static const double IN_DIFFUSION_1 = 0.75, IN_DIFFUSION_2 = 0.625, DECAY_DIFFUSION_1 = 0.70, DECAY_DIFFUSION_2 = 0.50;
static const double TAP_GAIN = 0.6;
static const double GLIDE = 0.5; /* frames per frame by which the pre-delay moves at most */

/* Which line each output tap reads, and its sign, after the paper's table 2. */
static const int64_t TAP_LINES[2][TAPS_PER_SIDE] = {
    {R_FAR, R_FAR, R_DIFF, R_NEAR, L_FAR, L_DIFF, L_NEAR},
    {L_FAR, L_FAR, L_DIFF, L_NEAR, R_FAR, R_DIFF, R_NEAR},
};
static const double TAP_SIGNS[TAPS_PER_SIDE] = {1.0, 1.0, -1.0, 1.0, -1.0, -1.0, -1.0};

typedef struct {
    double *memory;
    int64_t length, at;
} Line;

TL_INLINE double line_read(const Line *line, int64_t back) {
    int64_t at = line->at - back;
    if (at < 0) at += line->length;
    return line->memory[at];
}

TL_INLINE void line_write(Line *line, double x) {
    line->memory[line->at] = x;
    line->at = line->at + 1 == line->length ? 0 : line->at + 1;
}

/* Lattice all-pass around one line: what leaves is the delayed value plus its share of what entered. */
TL_INLINE double diffuse(Line *line, double gain, double delayed, double x) {
    const double entering = x - gain * delayed;
    line_write(line, entering);
    return delayed + gain * entering;
}

TL_INLINE double swing_read(const Line *line, double back) {
    const int64_t whole = (int64_t)back;
    const double part = back - (double)whole;
    const double near = line_read(line, whole), far = line_read(line, whole + 1);
    return near + part * (far - near);
}

/* One tank: swinging all-pass, long delay, damping, all-pass, delay. Returns what goes to the other tank. */
TL_INLINE double tank(Line *lines, int first, const double *p, const int64_t *delays, double swing, double *damp,
                      double x) {
    Line *swinging = lines + first, *far = swinging + 1, *diffuser = swinging + 2, *near = swinging + 3;
    const double back = (double)delays[first] + swing;
    const double spread = diffuse(swinging, -DECAY_DIFFUSION_1, swing_read(swinging, back), x);
    const double late = line_read(far, delays[first + 1]);
    line_write(far, spread);
    const double damped = smooth(damp, p[DAMPING], late) * p[DECAY];
    const double dense = diffuse(diffuser, DECAY_DIFFUSION_2, line_read(diffuser, delays[first + 2]), damped);
    const double out = line_read(near, delays[first + 3]);
    line_write(near, dense);
    return out * p[DECAY];
}

TL_INLINE double output_taps(const Line *lines, const int64_t *taps, int side) {
    double sum = 0.0;
    for (int k = 0; k < TAPS_PER_SIDE; k++)
        sum += TAP_SIGNS[k] * line_read(lines + TAP_LINES[side][k], taps[side * TAPS_PER_SIDE + k]);
    return TAP_GAIN * sum;
}

static void plate(const double *from, const double *to, int64_t offset, int64_t span, const int64_t *delays,
                  const int64_t *taps, Line *lines, double *poles, const double *x, double *y, int64_t channels,
                  int64_t frames, int moving) {
    double p[PARAMETERS];
    for (int k = 0; k < PARAMETERS; k++) p[k] = from[k];
    for (int64_t n = 0; n < frames; n++) {
        if (moving) {
            const double way = (double)(offset + n) / (double)span;
            for (int k = 0; k < PARAMETERS; k++) p[k] = from[k] + (to[k] - from[k]) * way;
            poles[P_HEAD] += tl_max(-GLIDE, tl_min(GLIDE, p[PREDELAY] - poles[P_HEAD]));
        }
        const double left = x[n], right = x[(channels - 1) * frames + n];
        line_write(lines + PRE, 0.5 * (left + right));
        double in = smooth(poles + P_BAND, p[BANDWIDTH], swing_read(lines + PRE, 1.0 + poles[P_HEAD]));
        in -= smooth(poles + P_LOW, p[LOWCUT], in);
        in = diffuse(lines + IN_1, IN_DIFFUSION_1, line_read(lines + IN_1, delays[IN_1]), in);
        in = diffuse(lines + IN_2, IN_DIFFUSION_1, line_read(lines + IN_2, delays[IN_2]), in);
        in = diffuse(lines + IN_3, IN_DIFFUSION_2, line_read(lines + IN_3, delays[IN_3]), in);
        in = diffuse(lines + IN_4, IN_DIFFUSION_2, line_read(lines + IN_4, delays[IN_4]), in);

        const double cosine = poles[P_COS] * p[LFO_COS] - poles[P_SIN] * p[LFO_SIN];
        poles[P_SIN] = poles[P_COS] * p[LFO_SIN] + poles[P_SIN] * p[LFO_COS];
        poles[P_COS] = cosine;
        const double from_left = poles[P_TURN_L], from_right = poles[P_TURN_R];
        poles[P_TURN_L] = tank(lines, L_SWING, p, delays, p[EXCURSION] * poles[P_SIN], poles + P_DAMP_L, in + from_right);
        poles[P_TURN_R] = tank(lines, R_SWING, p, delays, p[EXCURSION] * cosine, poles + P_DAMP_R, in + from_left);

        y[n] = left * p[DRY] + output_taps(lines, taps, 0) * p[WET];
        if (channels > 1) y[frames + n] = right * p[DRY] + output_taps(lines, taps, 1) * p[WET];
    }
}

/* Where nothing moves, a plate runs in chunks shorter than every delay in it: what the lines give back is then known
 * before the chunk begins, and only the one-poles and the swing's oscillator go frame by frame. The operations of a frame
 * and their order are those of `plate`, so the bits are the same. */
/* A loop that copies stays a loop: the C library's copy would be called through the oldest of its versions. */
#define NO_MEMCPY __attribute__((no_builtin("memcpy", "memmove", "memset")))

enum { CHUNK = 128, CHUNK_MIN = 16, SWING_MAX = 512 };

NO_MEMCPY static void line_copy(const Line *line, int64_t back, double *restrict to, int64_t count) {
    int64_t at = line->at - back;
    if (at < 0) at += line->length;
    const int64_t first = line->length - at < count ? line->length - at : count;
    for (int64_t n = 0; n < first; n++) to[n] = line->memory[at + n];
    for (int64_t n = first; n < count; n++) to[n] = line->memory[n - first];
}

NO_MEMCPY static void line_append(Line *line, const double *restrict from, int64_t count) {
    const int64_t first = line->length - line->at < count ? line->length - line->at : count;
    for (int64_t n = 0; n < first; n++) line->memory[line->at + n] = from[n];
    for (int64_t n = first; n < count; n++) line->memory[n - first] = from[n];
    line->at = first < count || line->at + count == line->length ? count - first : line->at + count;
}

/* `diffuse` over a chunk, in place; delayed [count] is overwritten with what enters the line. */
static void diffuse_chunk(Line *line, double gain, double *restrict delayed, double *restrict x, int64_t count) {
    for (int64_t n = 0; n < count; n++) {
        const double late = delayed[n], entering = x[n] - gain * late;
        delayed[n] = entering;
        x[n] = late + gain * entering;
    }
    line_append(line, delayed, count);
}

/* The first line of a tank is read where the swing has moved: all that a chunk can reach, one frame after another. */
static void swing_copy(const Line *line, int64_t delay, double excursion, const double *swing, double *restrict to,
                       int64_t count) {
    double near[CHUNK + SWING_MAX];
    const int64_t reach = (int64_t)excursion + 2, first = delay + reach;
    line_copy(line, first, near, count + 2 * reach);
    for (int64_t n = 0; n < count; n++) {
        const double back = (double)delay + excursion * swing[n];
        const int64_t whole = (int64_t)back, at = n + first - whole;
        const double part = back - (double)whole;
        to[n] = near[at] + part * (near[at - 1] - near[at]);
    }
}

/* One tank over a chunk, but for its damping: late [count] is what its first line gives, x [count] enters, damped
 * [count] is what comes out of its long delay. */
static void tank_chunk(Line *lines, const int64_t *delays, double *restrict late, double *restrict x,
                       double *restrict damped, int64_t count) {
    diffuse_chunk(lines, -DECAY_DIFFUSION_1, late, x, count);
    line_append(lines + 1, x, count);
    line_copy(lines + 2, delays[2], late, count);
    diffuse_chunk(lines + 2, DECAY_DIFFUSION_2, late, damped, count);
    line_append(lines + 3, damped, count);
}

/* All that goes frame by frame: the filters of what enters, the swing of the tanks, and their damping. They do not wait
 * for one another, so together they take the time of one. in [count] and late [2, count] are filtered in place. */
static void plate_poles(const double *p, double *poles, double *restrict in, double swing[2][CHUNK],
                        double late[2][CHUNK], int64_t count) {
    double band = poles[P_BAND], low = poles[P_LOW], cosine = poles[P_COS], sine = poles[P_SIN];
    double left = poles[P_DAMP_L], right = poles[P_DAMP_R];
    for (int64_t n = 0; n < count; n++) {
        const double passed = smooth(&band, p[BANDWIDTH], in[n]);
        in[n] = passed - smooth(&low, p[LOWCUT], passed);
        const double turned = cosine * p[LFO_COS] - sine * p[LFO_SIN];
        swing[0][n] = sine = cosine * p[LFO_SIN] + sine * p[LFO_COS];
        swing[1][n] = cosine = turned;
        late[0][n] = smooth(&left, p[DAMPING], late[0][n]) * p[DECAY];
        late[1][n] = smooth(&right, p[DAMPING], late[1][n]) * p[DECAY];
    }
    poles[P_BAND] = band;
    poles[P_LOW] = low;
    poles[P_COS] = cosine;
    poles[P_SIN] = sine;
    poles[P_DAMP_L] = left;
    poles[P_DAMP_R] = right;
}

/* The longest chunk that is shorter than what every line but the pre-delay is read back by. */
static int64_t plate_chunk(const double *p, const int64_t *delays, const int64_t *taps) {
    int64_t chunk = CHUNK;
    for (int k = 0; k < PRE; k++) {
        const int64_t reach = k == L_SWING || k == R_SWING ? (int64_t)p[EXCURSION] + 2 : 0;
        if (delays[k] - reach < chunk) chunk = delays[k] - reach;
        if (2 * reach > SWING_MAX) chunk = 0;
    }
    for (int k = 0; k < 2 * TAPS_PER_SIDE; k++)
        if (taps[k] - 1 < chunk) chunk = taps[k] - 1;
    return chunk;
}

static void plate_still(const double *p, int64_t chunk, const int64_t *delays, const int64_t *taps, Line *lines,
                        double *poles, const double *x, double *y, int64_t channels, int64_t frames) {
    static const double in_gains[4] = {IN_DIFFUSION_1, IN_DIFFUSION_1, IN_DIFFUSION_2, IN_DIFFUSION_2};
    double in[CHUNK], late[CHUNK], swing[2][CHUNK], turned[2][CHUNK], damped[2][CHUNK], entering[CHUNK];
    for (int64_t at = 0, count; at < frames; at += count) {
        count = frames - at < chunk ? frames - at : chunk;
        const double *dry[2] = {x + at, x + (channels - 1) * frames + at};
        for (int64_t side = 0; side < channels; side++) {
            double *out = y + side * frames + at;
            double sum[CHUNK] = {0.0};
            for (int k = 0; k < TAPS_PER_SIDE; k++) {
                line_copy(lines + TAP_LINES[side][k], taps[side * TAPS_PER_SIDE + k] - 1, late, count);
                for (int64_t n = 0; n < count; n++) sum[n] += TAP_SIGNS[k] * late[n];
            }
            for (int64_t n = 0; n < count; n++) out[n] = dry[side][n] * p[DRY] + TAP_GAIN * sum[n] * p[WET];
        }
        for (int64_t n = 0; n < count; n++) {
            line_write(lines + PRE, 0.5 * (dry[0][n] + dry[1][n]));
            in[n] = swing_read(lines + PRE, 1.0 + poles[P_HEAD]);
        }
        line_copy(lines + L_FAR, delays[L_FAR], damped[0], count);
        line_copy(lines + R_FAR, delays[R_FAR], damped[1], count);
        plate_poles(p, poles, in, swing, damped, count);
        for (int k = 0; k < 4; k++) {
            line_copy(lines + IN_1 + k, delays[IN_1 + k], late, count);
            diffuse_chunk(lines + IN_1 + k, in_gains[k], late, in, count);
        }
        line_copy(lines + L_NEAR, delays[L_NEAR], turned[0], count);
        line_copy(lines + R_NEAR, delays[R_NEAR], turned[1], count);
        for (int side = 0; side < 2; side++) {
            const int first = side ? R_SWING : L_SWING;
            /* Each tank hears what the other gave one frame before. */
            entering[0] = in[0] + poles[side ? P_TURN_L : P_TURN_R];
            for (int64_t n = 1; n < count; n++) entering[n] = in[n] + turned[1 - side][n - 1] * p[DECAY];
            swing_copy(lines + first, delays[first], p[EXCURSION], swing[side], late, count);
            tank_chunk(lines + first, delays + first, late, entering, damped[side], count);
        }
        poles[P_TURN_L] = turned[0][count - 1] * p[DECAY];
        poles[P_TURN_R] = turned[1][count - 1] * p[DECAY];
    }
}

/* from, to [10]: parameters at the ends of a cell of `span` frames, of which `offset` have passed; equal where nothing
 * moves. delays [13] and taps [2, 7] in frames; lengths [13] and positions [13] of the lines inside memory; poles [9],
 * the last of which is where the pre-delay is read. x and y [channels, frames]; a mono input gets the left output. */
TL_EXPORT void tl_plate(const double *from, const double *to, int64_t offset, int64_t span, const int64_t *delays,
                        const int64_t *taps, const int64_t *lengths, int64_t *positions, double *memory, double *poles,
                        const double *x, double *y, int64_t channels, int64_t frames) {
    Line lines[LINES];
    for (int k = 0; k < LINES; k++) {
        lines[k] = (Line){memory, lengths[k], positions[k]};
        memory += lengths[k];
    }
    const int64_t chunk = plate_chunk(from, delays, taps);
    const int still = from == to && poles[P_HEAD] == from[PREDELAY];
    if (still && chunk >= CHUNK_MIN)
        plate_still(from, chunk, delays, taps, lines, poles, x, y, channels, frames);
    else if (still)
        plate(from, to, offset, span, delays, taps, lines, poles, x, y, channels, frames, 0);
    else
        plate(from, to, offset, span, delays, taps, lines, poles, x, y, channels, frames, 1);
    for (int k = 0; k < LINES; k++) positions[k] = lines[k].at;
}
