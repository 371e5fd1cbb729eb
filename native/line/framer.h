// SPDX-License-Identifier: GPL-2.0-or-later
/* The framer: timeslots into whole frames and back, and what the received bits say about the line.
 *
 * A frame is FRAME_SPAN octets in memory: E1 timeslots 0-31 (256 bits on the line); T1 the F bit in the highest bit of
 * octet 0, timeslots 1-24 behind it (193 bits). Source: G.704 2.1, 2.3.
 */
#ifndef DAHDI_PY_FRAMER_H
#define DAHDI_PY_FRAMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_SPAN      32
#define FRAMES_PER_MS   8
#define TICK_FRAMES_MAX 64
#define TIMESLOTS       32

enum line_type { LINE_E1, LINE_T1 };

/* Bits of DAHDI's alarm word. Source: DAHDI user.h DAHDI_ALARM_*. */
enum alarm { ALARM_RED = 8, ALARM_NOTOPEN = 32, ALARM_LOS = 256 };

/* One tick of a line, frame by frame. */
typedef uint8_t line_signal[TICK_FRAMES_MAX][FRAME_SPAN];
/* The same, timeslot by timeslot. */
typedef uint8_t slot_octets[TIMESLOTS][TICK_FRAMES_MAX];

struct framer {
    enum line_type type;
    uint64_t sent; /* frames, for the framing pattern */
    uint32_t alarms;
};

void framer_init(struct framer *framer, enum line_type type);
/* Frame n frames (a multiple of eight); slots[0] is the framer's own. Timeslots outside the set `changed` stay on the
 * line as they were, for most are idle most of the time. */
void framer_send(struct framer *framer, slot_octets slots, uint32_t changed, line_signal line, size_t n);
/* Read n frames off the line: `alarms` follows from their bits. At least the timeslots in the set `wanted` are read,
 * all ones without a signal. */
void framer_receive(struct framer *framer, const line_signal line, slot_octets slots, uint32_t wanted, size_t n);

#endif
