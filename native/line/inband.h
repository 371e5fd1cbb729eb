// SPDX-License-Identifier: GPL-2.0-or-later
/* In-band loop codes of a T1: a few bits over and over in place of all payload, for at least 5 s.
 *
 * They come framed, the framing bit in place of one of the code's or between two of them, or without frames. Source:
 * T1.403 9.3.1 (CSU line loop: 00001 up, 001 down), Verilink, ADC and Westell manuals (NIU: 11000 up, 11100 down).
 */
#ifndef DAHDI_PY_INBAND_H
#define DAHDI_PY_INBAND_H

#include "framer.h"

#define INBAND_SECONDS 5

enum inband_code { INBAND_CSU_UP, INBAND_CSU_DOWN, INBAND_NIU_UP, INBAND_NIU_DOWN, INBAND_CODES };

/* A code on its way out, in place of every timeslot. */
struct inband_tx {
    enum inband_code code;
    unsigned phase; /* bit of the code that comes next */
    uint64_t left;  /* frames */
};

/* What one code would look like. */
struct inband_guess {
    unsigned phase;
    unsigned frames; /* that fit, less what others took back */
};

#define INBAND_LENGTH_MAX 5

struct inband_rx {
    uint8_t looks[INBAND_CODES][INBAND_LENGTH_MAX][24]; /* of a frame that begins with that bit of the code */
    struct inband_guess guesses[INBAND_CODES][2];
};

/* n frames of the code, over all of T1's timeslots. */
void inband_send(struct inband_tx *tx, slot_octets slots, size_t n);
void inband_rx_init(struct inband_rx *rx);
/* Bits 2-193 of a row came off the line, framed or not: the code goes through the framing bits. The code that has been
 * there for 5 s just now, or -1. */
int inband_read_line(struct inband_rx *rx, const uint8_t *octets);
/* The timeslots of a frame came: the code goes past the framing bits. */
int inband_read_slots(struct inband_rx *rx, const uint8_t *octets);

#endif
