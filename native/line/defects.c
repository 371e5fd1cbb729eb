// SPDX-License-Identifier: GPL-2.0-or-later
#include "defects.h"

#include <string.h>

/* Source: T1.231 (LOS: 175 ± 75 pulse positions), G.775 4.2 (10 to 255 pulse intervals). */
#define T1_LOS_ZEROS 175
#define E1_LOS_ZEROS 255

/* A T1 signal is back with 12.5 % of pulses over as long. Source: T1.231 (LOS termination). */
#define T1_SIGNAL_ONES 25 /* of 193 */

/* The zeros that all ones may have: two in each of two double frames (G.775 5.2); 0.1 % in 3 ms (T1.231 AIS). */
struct density {
    unsigned frames, zeros, periods;
};
static const struct density densities[] = {[LINE_E1] = {2, 2, 2}, [LINE_T1] = {24, 4, 1}};

/* T1's period and as much again, for it need not begin with the first frame looked at; E1 loses frames later than that.
 */
#define POSSIBLE_FRAMES 48

/* With zero suppression on the line zeros are pulses too. */
static bool suppresses_zeros(const struct framing_config *config) {
    return config->coding != CODING_AMI;
}

/* Rows whose words all have a pulse need no look at every bit: no run of zeros in them is longer than 126. */
static bool busy(const struct los *los, enum line_type type, const struct frame_bits *bits, unsigned limit) {
    const uint64_t *word = bits->word;
    bool pulses = word[0] && word[1] && word[2] && (word[3] || type == LINE_T1);
    return pulses && !los->on && los->zeros + (unsigned)__builtin_clzll(word[0]) < limit;
}

static unsigned zeros_at_end(enum line_type type, const struct frame_bits *bits) {
    if (type == LINE_T1)
        return bits->word[3] ? 0 : 1 + (unsigned)__builtin_ctzll(bits->word[2]);
    return (unsigned)__builtin_ctzll(bits->word[3]);
}

static void look_at_bits(struct los *los, enum line_type type, const uint8_t *row, unsigned limit) {
    struct frame_bits bits = frame_load(type, row);
    unsigned length = frame_length(type), zeros = los->zeros, ones = 0;
    if (busy(los, type, &bits, limit)) {
        los->zeros = zeros_at_end(type, &bits);
        return;
    }
    bool lost = false;
    for (unsigned i = 0; i < length; i++) {
        bool pulse = bits.word[i / 64] << i % 64 >> 63;
        zeros = pulse ? 0 : zeros + 1;
        ones += pulse;
        lost |= zeros >= limit;
    }
    los->zeros = zeros;
    if (lost)
        los->on = true;
    else if (type == LINE_E1 || ones >= T1_SIGNAL_ONES)
        los->on = false;
}

void los_look(struct los *los, const struct framing_config *config, const uint8_t (*rows)[FRAME_SPAN], bool signal,
              size_t n) {
    unsigned limit = config->type == LINE_E1 ? E1_LOS_ZEROS : T1_LOS_ZEROS;
    if (!signal) {
        los->zeros += n ? limit : 0; /* a frame is longer than the limit */
        los->on |= n > 0;
        los->zeros = los->zeros > limit ? limit : los->zeros;
    } else if (suppresses_zeros(config)) {
        los->zeros = 0;
        los->on = false;
    } else {
        for (size_t i = 0; i < n; i++)
            look_at_bits(los, config->type, rows[i], limit);
    }
}

static void end_period(struct ais *ais, const struct density *density) {
    bool within = ais->zeros <= density->zeros;
    ais->within = within ? ais->within + 1 : 0;
    ais->outside = within ? 0 : ais->outside + 1;
    if (ais->within >= density->periods)
        ais->on = true;
    if (ais->outside >= density->periods)
        ais->on = false;
    ais->frames = ais->zeros = 0;
}

void ais_begin(struct ais *ais) {
    memset(ais, 0, sizeof *ais);
}

void ais_look(struct ais *ais, enum line_type type, const uint8_t (*rows)[FRAME_SPAN], size_t n) {
    const struct density *density = &densities[type];
    for (size_t i = 0; i < n; i++) {
        ais->zeros += frame_zeros(type, rows[i]);
        ais->frames++;
        /* T1's period has no place of its own: one with too many zeros is over, and the next begins. */
        if (ais->frames == density->frames || (type == LINE_T1 && ais->zeros > density->zeros))
            end_period(ais, density);
    }
    /* The rows looked at first may have begun long before it. */
    ais->looked = ais->looking ? ais->looked + (unsigned)n : ais->frames;
    ais->looking = true;
    if (ais->looked > POSSIBLE_FRAMES)
        ais->looked = POSSIBLE_FRAMES;
}

bool ais_possible(const struct ais *ais, enum line_type type) {
    return type == LINE_T1 && ais->looked < POSSIBLE_FRAMES && ais->frames > 0 && ais->zeros <= densities[type].zeros;
}
