// SPDX-License-Identifier: GPL-2.0-or-later
/* T1's F bits: superframe (D4) and extended superframe (ESF). Source: T1.403 (frame formats), G.704 2.1.3. */
#ifndef DAHDI_PY_T1_H
#define DAHDI_PY_T1_H

#include "crc.h"
#include "fdl.h"
#include "framing.h"

#define D4_FRAMES 12

struct t1_tx {
    unsigned frame; /* of the superframe, 0-11 or 0-23 */
    struct crc6 sum;
    unsigned crc; /* of the extended superframe before */
    struct fdl_tx fdl;
};

struct t1_orders {
    bool rai;
    uint64_t *spoil_fas; /* so many framing bits are sent wrong */
    uint64_t *spoil_crc; /* and CRCs */
};

/* The F bits of n frames whose timeslots are there; with D4 a remote alarm takes bit 2 of every timeslot. */
void t1_send(struct t1_tx *tx, enum framing framing, const struct t1_orders *orders, uint8_t (*rows)[FRAME_SPAN],
             size_t n);

/* The framing bit that frame 0-11 or 0-23 carries, 0 or 1; -1 when it carries something else. */
int t1_framing_bit(enum framing framing, unsigned frame);

static inline unsigned t1_superframe(enum framing framing) {
    return framing == FRAMING_D4 ? D4_FRAMES : CRC6_FRAMES;
}

/* CRC-6 over the frames of one place, for who must choose between places. */
struct t1_check {
    struct crc6 sum;
    unsigned crc, bits; /* of the superframe before, and received in this one */
    bool summing, summed;
};

/* The frame counts; 1 when it ended a superframe that shows a wrong CRC in the one before, 0 for a right one, else -1.
 */
int t1_check_feed(struct t1_check *check, unsigned frame, const uint8_t (*row)[FRAME_SPAN]);

/* Which of all places, and of all frames of a superframe, the framing bits allow. */
struct t1_search {
    struct frame_bits before;
    struct frame_bits
        alive[CRC6_FRAMES];          /* by the frame that the search began with; places as frame ends, first highest */
    unsigned frames;                 /* since it began */
    unsigned trial_end, trial_frame; /* one of several that are left, checked by CRC-6; end 0 for none */
    bool trial_begun;                /* with a superframe */
    unsigned trial_good;
    struct t1_check trial;
};

void t1_search_begin(struct t1_search *search);
/* Whether one place alone is left: the frame whose last bit is bit *end of `row` was number *frame. */
bool t1_search(struct t1_search *search, enum framing framing, const struct frame_bits *row, unsigned *end,
               unsigned *frame);

struct t1_rx {
    unsigned frame;        /* the next one */
    unsigned wrong;        /* the last four framing bits, newest lowest, that count for loss */
    unsigned period_wrong; /* in this framing period */
    unsigned crc_wrong;    /* in a row */
    bool doubted;          /* so many that another place is looked for, this one kept meanwhile */
    struct t1_check check;
    unsigned yellow_frames; /* D4: in this superframe so far, channels whose bit 2 is one */
    unsigned yellow;        /* D4: superframes in a row with the alarm */
    bool rai;
    struct fdl_rx fdl; /* the last: it outlives a loss of frame */
};

void t1_found(struct t1_rx *rx, enum framing framing, unsigned frame);
/* Looks at frames until alignment is lost; returns how many it looked at, the last one included. */
size_t t1_receive(struct t1_rx *rx, enum framing framing, struct framer_counts *counts,
                  const uint8_t (*rows)[FRAME_SPAN], size_t n, bool *lost);

#endif
