// SPDX-License-Identifier: GPL-2.0-or-later
/* E1's timeslot 0: frame alignment, the CRC-4 multiframe, remote alarm and spare bits; and timeslot 16's multiframe.
 * Source: G.704 2.3, 5.1.3 (timeslot 16), G.706 4 and annex B.
 */
#ifndef DAHDI_PY_E1_H
#define DAHDI_PY_E1_H

#include "crc.h"
#include "framing.h"

struct e1_tx {
    unsigned frame; /* of the CRC-4 multiframe, 0-15 */
    struct crc4 sum;
    unsigned crc;     /* of the submultiframe before */
    unsigned owed[2]; /* errored submultiframes I and II that the far end is still to be told of */
    uint8_t spare;    /* Sa4-Sa8, Sa4 highest of five bits */
};

/* What a frame is to the one who sends it. */
struct e1_orders {
    bool rai;
    bool checked;        /* we check the far end's CRC-4: E bits mean something */
    bool cas_lost;       /* timeslot 16 tells the far end that we lack its multiframe */
    uint64_t *spoil_fas; /* so many frame alignment words are sent wrong */
    uint64_t *spoil_crc; /* and CRCs */
};

/* Timeslot 0 (and 16, with CAS) of n frames whose other timeslots are there. */
void e1_send(struct e1_tx *tx, const struct framing_config *config, const struct e1_orders *orders,
             uint8_t (*rows)[FRAME_SPAN], size_t n);

/* Where frames begin, looked for at all places at once. */
struct e1_search {
    struct frame_bits before; /* the row before */
    struct frame_bits fas[2]; /* places where the frame before that, and the one before, would carry the word */
    struct frame_bits bit2;   /* where bit 2 of the frame before is one */
};

/* Whether the word, none, and the word again were at one place in the last three frames: then *end is the number of the
 * last frame's last bit in `row`, the first one behind `from` and not `except`. Source: G.706 4.1.2 */
bool e1_search(struct e1_search *search, const struct frame_bits *row, unsigned from, unsigned except, unsigned *end);

/* A CRC-4 multiframe is found by its alignment signal in bit 1 of frames without the frame alignment word. */
struct e1_signal {
    uint8_t bits;  /* bit 1, newest lowest */
    uint32_t hits; /* where the signal ended, newest lowest, a bit for two frames */
};

/* True when the signal has just come for the second time in 8 ms. Source: G.706 4.2 */
bool e1_signal_feed(struct e1_signal *signal, bool bit);

/* SEARCHING ends after 400 ms: then the far end has no CRC-4. Source: G.706 B.2 */
enum e1_multiframe { MULTIFRAME_SEARCHING, MULTIFRAME_FOUND, MULTIFRAME_ABSENT };

/* A second place looked at while the first has no multiframe, so that a false one is not kept. Source: G.706 B.2 */
struct e1_contender {
    struct e1_search search;
    struct e1_signal signal;
    unsigned from;   /* the place looked at before */
    unsigned end;    /* 0 while there is none */
    unsigned frames; /* since it was found; even ones carry the word */
    unsigned wrong;  /* words in a row */
};

struct e1_cas {
    bool found;
    unsigned frame;   /* 0-15, the next one */
    unsigned wrong;   /* alignment signals in a row */
    unsigned missing; /* frames without it */
};

struct e1_rx {
    unsigned frame;        /* the next one: 0-15 with a multiframe, else even when it carries the word */
    unsigned fas_wrong;    /* in a row */
    unsigned bit2_wrong;   /* in a row */
    unsigned rai_looks;    /* A bits read since the frames were found, as many as it takes to believe them */
    unsigned rai_changing; /* A bits in a row that say something else than `rai` */
    bool rai;              /* from the far end */
    uint8_t spare;         /* Sa4-Sa8 */
    enum e1_multiframe multiframe;
    unsigned searching; /* frames without a multiframe */
    struct e1_signal signal;
    struct e1_contender contender;
    struct crc4 sum;
    bool summing; /* since the submultiframe began */
    bool summed;  /* `crc` is that of the submultiframe before */
    unsigned crc;
    unsigned check;           /* CRC bits received in this one */
    unsigned blocks, errored; /* of the last 1000 */
    struct e1_cas cas;
};

/* Frame alignment was found with a frame that carries the word, the one before. */
void e1_found(struct e1_rx *rx);
/* Looks at frames until alignment is lost; returns how many it looked at, the last one included. `lost` is set then.
 * `owed` counts what the E bits must say. */
size_t e1_receive(struct e1_rx *rx, const struct framing_config *config, struct framer_counts *counts, unsigned *owed,
                  const uint8_t (*rows)[FRAME_SPAN], size_t n, bool *lost);
/* The same rows as they came, while there is no multiframe: true when one was found at a place other than `end`. */
bool e1_contend(struct e1_rx *rx, unsigned *end, const struct frame_bits *row);
/* Whether the A bits have been read for long enough since the frames were found. */
bool e1_rai_known(const struct e1_rx *rx);
/* No multiframe though there should be one, for longer than finding it takes. */
bool e1_multiframe_lost(const struct e1_rx *rx, const struct framing_config *config);
/* The same of timeslot 16's. */
bool e1_cas_lost(const struct e1_rx *rx, const struct framing_config *config);

#endif
