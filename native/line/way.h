// SPDX-License-Identifier: GPL-2.0-or-later
/* One direction of a cable: what is wrong with it, and what that does to the bits of a tick.
 *
 * Deterministic: the same seed and the same ticks give the same errors. Most ways have no fault and most ticks of a
 * faulty one no error, so a signal is copied only in a tick that changes it.
 */
#ifndef DAHDI_PY_WAY_H
#define DAHDI_PY_WAY_H

#include "framer.h"

#define WAY_FOREVER UINT64_MAX
/* Loss of signal: the level from which on a receiver has none, dB below nominal. Source: G.775 4.2 (E1: 35 dB; a T1
 * receiver's reach of 36 dB is about the same). */
#define WAY_LOS_DB 35.0

enum fault {
    FAULT_CUT,        /* no signal */
    FAULT_AIS,        /* all ones, unframed */
    FAULT_BIT_ERRORS, /* at a rate, for good */
    FAULT_BURST,      /* at a rate, for a while */
    FAULT_FRAMING,    /* frame alignment bits inverted, one a frame alignment signal */
    FAULT_CRC,        /* a payload bit inverted, one a CRC block */
    FAULT_VIOLATIONS, /* line code violations that change no bit */
    FAULT_FLAP,       /* no signal for half of each period */
    FAULT_DELAY,      /* bits */
    FAULT_LOSS,       /* dB */
    FAULTS,
};

/* Errors of a rate, as the bits until the next one. */
struct noise {
    double rate;
    uint64_t gap;  /* good bits before the next error */
    uint64_t left; /* frames it goes on for */
};

struct way {
    enum line_type type;
    uint64_t random;
    uint64_t cut, ais; /* frames they go on for */
    struct noise steady, burst;
    uint64_t framing, crc, violations;        /* still to be made */
    uint64_t flap_period, flap_at, flap_left; /* frames; periods */
    struct line_delay delay;
    double loss_db;
    uint64_t errors; /* bits inverted so far */
};

/* What is wrong with a way now, in the units of its faults. */
struct way_status {
    bool cut, ais, flapping;
    double bit_error_rate, burst_rate;
    uint64_t framing, crc, violations, flaps;
    uint64_t delay_bits;
    double loss_db;
    uint64_t errors;
};

/* A tick of a line on its way. */
struct arrival {
    const uint8_t (*line)[FRAME_SPAN];
    size_t frames;
    unsigned place; /* frames that the sender had framed before, modulo 48: every framing repeats by then */
    enum line_coding coding;
    bool esf; /* else E1 or D4 */
    bool signal;
    uint64_t violations; /* of the line code, in these frames */
    double level_db;     /* at this point, 0 is nominal */
    int64_t rate_ppb;    /* of the sender's clock, off nominal */
};

void way_init(struct way *way, enum line_type type, uint64_t seed);
/* Every fault is gone. */
void way_mend(struct way *way);
/* The fault begins: `value` as its kind says (rate, number, bits, dB; of a flap the times), `frames` how long (of a
 * flap the period). 0 or -errno: EINVAL for what a line cannot have, ENOMEM. */
int way_fault(struct way *way, enum fault fault, double value, uint64_t frames);
void way_read_status(const struct way *way, struct way_status *status);
/* The arrival is as it comes out of the way; `room` takes its bits when they change. */
void way_pass(struct way *way, struct arrival *arrival, line_signal room);

#endif
