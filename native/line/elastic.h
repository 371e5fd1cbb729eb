// SPDX-License-Identifier: GPL-2.0-or-later
/* The elastic store of two frames between a line and the port's own clock: controlled slips.
 *
 * It starts half full. When the two clocks have drifted apart by a frame, 125 us, a whole frame is left out (the line
 * is faster: the store was full) or given twice (it is slower: the store was empty), and it is half full again. Framing
 * is taken off before the store and so never slips. Source: G.823 and G.810 (controlled slip), T1.101 (125 us).
 */
#ifndef DAHDI_PY_ELASTIC_H
#define DAHDI_PY_ELASTIC_H

#include "framer.h"

#define ELASTIC_MARGIN    8            /* octets before the new ones in each timeslot's row */
#define ELASTIC_FRAME_PPB 1000000000LL /* a frame, in the unit of drift: billionths of a frame */

/* Octets timeslot by timeslot, each row behind a margin; a row more, for the margin pushes the last one out. */
typedef uint8_t elastic_rows[TIMESLOTS + 1][TICK_FRAMES_MAX];

struct elastic {
    size_t fill;   /* frames in it that are not yet read */
    int64_t drift; /* how far the line is ahead of the port's clock */
    uint64_t left_out, repeated;
    uint8_t kept[TIMESLOTS][4]; /* what came last in them */
};

void elastic_init(struct elastic *store);
/* Half full of ones, as after a loss of signal; the counts stay. */
void elastic_centre(struct elastic *store);
/* n_in new frames stand in the rows from ELASTIC_MARGIN on, and the line has gained `drift` on the port's clock; n_out
 * frames are to be read. Returns where in each row of the set `wanted` they begin. */
size_t elastic_read(struct elastic *store, elastic_rows rows, uint32_t wanted, size_t n_in, size_t n_out,
                    int64_t drift);

#endif
