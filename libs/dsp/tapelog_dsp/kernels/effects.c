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
    if (from == to && poles[P_HEAD] == from[PREDELAY])
        plate(from, to, offset, span, delays, taps, lines, poles, x, y, channels, frames, 0);
    else
        plate(from, to, offset, span, delays, taps, lines, poles, x, y, channels, frames, 1);
    for (int k = 0; k < LINES; k++) positions[k] = lines[k].at;
}
