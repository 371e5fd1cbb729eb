// SPDX-License-Identifier: GPL-2.0-or-later
#include "inband.h"

#include <string.h>

#define OCTETS     24
#define FRAME      193
#define FRAMES_S   8000
#define MISFIT     8  /* frames that one which does not fit takes back */
#define ERRORS_MAX 24 /* of 192 bits: codes differ in at least one of five, a bad line of 1e-2 in two */

static const struct {
    uint8_t bits;
    unsigned length;
} codes[INBAND_CODES] = {
    [INBAND_CSU_UP] = {0x01, 5},
    [INBAND_CSU_DOWN] = {0x01, 3},
    [INBAND_NIU_UP] = {0x18, 5},
    [INBAND_NIU_DOWN] = {0x1C, 5},
};

/* 24 octets of the code from that bit of it on. */
static void write_code(enum inband_code code, unsigned phase, uint8_t *octets) {
    unsigned length = codes[code].length;
    for (size_t i = 0; i < OCTETS; i++) {
        uint8_t octet = 0;
        for (int bit = 0; bit < 8; bit++, phase = (phase + 1) % length)
            octet = (uint8_t)(octet << 1 | (codes[code].bits >> (length - 1 - phase) & 1));
        octets[i] = octet;
    }
}

void inband_send(struct inband_tx *tx, slot_octets slots, size_t n) {
    unsigned length = codes[tx->code].length;
    for (size_t frame = 0; frame < n; frame++) {
        uint8_t octets[OCTETS];
        write_code(tx->code, (tx->phase + 1) % length, octets); /* the framing bit has the place of one bit */
        for (size_t i = 0; i < OCTETS; i++)
            slots[i + 1][frame] = octets[i];
        tx->phase = (tx->phase + FRAME) % length;
    }
    tx->left -= n < tx->left ? n : tx->left;
}

void inband_rx_init(struct inband_rx *rx) {
    memset(rx, 0, sizeof *rx);
    for (int code = 0; code < INBAND_CODES; code++)
        for (unsigned phase = 0; phase < codes[code].length; phase++)
            write_code((enum inband_code)code, phase, rx->looks[code][phase]);
}

static bool fits(const uint8_t *expected, const uint8_t *octets) {
    int errors = 0;
    for (size_t i = 0; errors <= ERRORS_MAX && i < OCTETS; i += 8) {
        uint64_t a, b;
        memcpy(&a, expected + i, sizeof a);
        memcpy(&b, octets + i, sizeof b);
        errors += __builtin_popcountll(a ^ b);
    }
    return errors <= ERRORS_MAX;
}

/* A frame that does not fit takes back several that did, for a line may lose its framing for a moment; when none is
 * left a new guess is made. */
static void look(struct inband_guess *guess, const uint8_t (*looks)[OCTETS], unsigned length, unsigned advance,
                 const uint8_t *octets) {
    if (guess->frames) {
        bool fit = fits(looks[guess->phase], octets);
        guess->phase = (guess->phase + advance) % length;
        guess->frames = fit ? guess->frames + 1 : guess->frames > MISFIT ? guess->frames - MISFIT : 0;
        return;
    }
    for (unsigned phase = 0; phase < length && !guess->frames; phase++)
        if (fits(looks[phase], octets)) {
            guess->frames = 1;
            guess->phase = (phase + advance) % length;
        }
}

static int look_for_all(struct inband_rx *rx, unsigned counted, const uint8_t *octets) {
    int found = -1;
    for (int code = 0; code < INBAND_CODES; code++) {
        struct inband_guess *guess = &rx->guesses[code][counted];
        look(guess, rx->looks[code], codes[code].length, FRAME - 1 + counted, octets);
        if (guess->frames >= INBAND_SECONDS * FRAMES_S) {
            found = code;
            guess->frames = 0;
        }
    }
    return found;
}

int inband_read_line(struct inband_rx *rx, const uint8_t *octets) {
    return look_for_all(rx, 1, octets);
}

int inband_read_slots(struct inband_rx *rx, const uint8_t *octets) {
    return look_for_all(rx, 0, octets);
}
