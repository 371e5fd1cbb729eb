// SPDX-License-Identifier: GPL-2.0-or-later
/* A cable between two ends: what each sends, what becomes of it on the way, and whose clock it has. */
#ifndef DAHDI_PY_CABLE_H
#define DAHDI_PY_CABLE_H

#include "line_code.h"
#include "way.h"

/* One end: a port, or a far end in place of one. */
struct cable_end {
    struct cable_end *peer;    /* at the other end of the cable, or NULL */
    struct way way;            /* towards this end */
    struct arrival sends;      /* this tick; no signal while it is out of service */
    struct arrival arrives;    /* this tick */
    enum line_coding coding;   /* by which it sends and reads */
    struct line_code mistaken; /* what arrives in another one */
    double build_out_db;       /* off what it sends */

    int64_t own_ppb;   /* its oscillator, off nominal */
    bool follows;      /* wants the line's clock */
    bool usable;       /* what arrives is fit to take the clock from */
    bool returns_line; /* sends what arrives, bits untouched */
    int64_t rate_ppb;  /* of its clock in this tick */
    uint64_t phase;    /* of its clock, billionths of a frame */

    line_signal room; /* for what arrives, when the way changes it */
};

void cable_end_init(struct cable_end *end, enum line_type type, uint64_t seed);
/* 0 or -errno: EINVAL for one end twice, EXDEV for two types, EBUSY. */
int cable_join(struct cable_end *a, struct cable_end *b);
/* Both ends are free, and what was wrong with the cable is gone with it; ENOTCONN. */
int cable_part(struct cable_end *end);
/* The end's clock for this tick: the line's, where it follows one that is usable, else its own. Before any end sends or
 * receives, so that all go by the same moment. */
void cable_set_clock(struct cable_end *end);
/* The frames of this tick by that clock, for so many nominal ones. */
size_t cable_frames(struct cable_end *end, size_t nominal);
/* `arrives` is what the peer sends, as it comes out of the way; without a signal `frames` frames of nothing. */
void cable_receive(struct cable_end *end, size_t frames);
/* `sends` is what arrives. */
void cable_return(struct cable_end *end);

#endif
