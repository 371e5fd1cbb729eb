// SPDX-License-Identifier: GPL-2.0-or-later
/* HDLC framing for one 64 kbit/s timeslot: flags, zero stuffing, FCS-16, abort.
 *
 * A line octet's most significant bit is first on the line; a frame octet's least significant bit is.
 *
 * Source: Q.921 2.2 (flag), 2.6 (transparency), 2.7 (FCS), 2.9 (invalid frames), 2.10 (abort). No callbacks, no
 * allocation, no clock.
 */
#ifndef DAHDI_PY_HDLC_H
#define DAHDI_PY_HDLC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HDLC_LIMIT 2048 /* longest frame an engine can be made for, octets with FCS */
#define HDLC_FCS   2    /* octets of FCS at the end of a frame */
#define HDLC_MIN   4    /* fewer octets between flags are no frame (32 bits with FCS) */

struct hdlc_counts {
    uint64_t frames;
    uint64_t fcs_errors;
    uint64_t aborts;
    uint64_t overlong;
    uint64_t misaligned;
    uint64_t shorts;
};

/* Transmitter: load a frame, send until it is out, load the next or idle. */
struct hdlc_tx {
    unsigned residue; /* bits not yet out, fewer than eight, right-aligned */
    unsigned residue_bits;
    unsigned extra_flags; /* flags before each frame beyond the shared one */
    bool after_frame;     /* the line ends in a frame's flag, which the next one shares */
    size_t at, end;       /* what of `staged` is still to go */
    uint64_t frames;
    uint8_t staged[HDLC_LIMIT * 5 / 4 + 40];
};

void hdlc_tx_init(struct hdlc_tx *tx, unsigned extra_flags);
/* Take a frame without its FCS; false while an earlier one is still going out, or when it does not fit. */
bool hdlc_tx_load(struct hdlc_tx *tx, const uint8_t *frame, size_t length);
/* Up to n line octets of the loaded frame; fewer means that it is out. */
size_t hdlc_tx_send(struct hdlc_tx *tx, uint8_t *out, size_t n);
/* n line octets of flags; only between frames. */
void hdlc_tx_idle(struct hdlc_tx *tx, uint8_t *out, size_t n);
/* Cut the loaded frame short: the next octets abort it. */
void hdlc_tx_abort(struct hdlc_tx *tx);

/* Receiver: feed line octets at any bit phase, take frames. */
struct hdlc_rx {
    uint64_t acc; /* bits of the frame not yet in `frame`, first one lowest */
    unsigned bits;
    unsigned ones;  /* ones in a row just now, 7 for seven and more */
    bool unstuffed; /* the last zero came after five ones and is not in `acc` */
    bool in_frame;
    size_t limit; /* longest frame taken, octets with FCS */
    size_t length;
    struct hdlc_counts counts;
    uint8_t frame[HDLC_LIMIT + 16];
};

void hdlc_rx_init(struct hdlc_rx *rx, size_t limit);
/* Octets consumed. When a frame ended in the last of them, *length is its octets with FCS, else 0; it stays in
 * rx->frame until the next call. */
size_t hdlc_rx_feed(struct hdlc_rx *rx, const uint8_t *in, size_t n, size_t *length);

/* FCS-16 of the octets, as sent (complemented). */
uint16_t hdlc_fcs(const uint8_t *octets, size_t n);

#endif
