// SPDX-License-Identifier: GPL-2.0-or-later
/* Timeslots into frames and back. */
#ifndef DAHDI_PY_MUX_H
#define DAHDI_PY_MUX_H

#include "bits.h"

#define TIMESLOTS  32
#define MUX_GROUPS 2

/* A tick's octets, timeslot by timeslot. */
typedef uint8_t slot_octets[TIMESLOTS][TICK_FRAMES_MAX];

/* The first of the sixteen timeslots of a group; T1's groups overlap. */
static inline unsigned mux_first(enum line_type type, unsigned group) {
    return type == LINE_E1 ? 16 * group : 1 + 8 * group;
}

/* Whether the group has one of the timeslots in the set. */
static inline bool mux_touches(enum line_type type, unsigned group, uint32_t set) {
    return set >> mux_first(type, group) & 0xFFFF;
}

/* The group's octets go to their places in the frames, frames rounded up to eight. */
void mux(enum line_type type, unsigned group, slot_octets slots, line_signal line, size_t n);
/* And back. */
void demux(enum line_type type, unsigned group, const uint8_t (*line)[FRAME_SPAN], slot_octets slots, size_t n);

#endif
