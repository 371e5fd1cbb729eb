// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames as bits on a line, at any place.
 *
 * A frame is a row of FRAME_SPAN octets in memory: E1 timeslots 0-31 (256 bits on the line); T1 the F bit in the
 * highest bit of octet 0, timeslots 1-24 behind it (193 bits). The rows of a line hold its bits one after the other; a
 * frame begins at the first bit of a row only when nothing on the way delayed it. Source: G.704 2.1, 2.3.
 */
#ifndef DAHDI_PY_BITS_H
#define DAHDI_PY_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_SPAN    32
#define FRAMES_PER_MS 8
#define TICK_MS_MAX   8
#define TICK_FRAMES_MAX                                                                                                \
    ((TICK_MS_MAX + 1) * FRAMES_PER_MS) /* a fast clock has more frames a tick, by less than 1 ms                      \
                                         */

enum line_type { LINE_E1, LINE_T1 };

/* One tick of a line, row by row. */
typedef uint8_t line_signal[TICK_FRAMES_MAX][FRAME_SPAN];

/* The bits of one row: first one highest in word 0, none behind the last one. */
struct frame_bits {
    uint64_t word[4];
};

static inline unsigned frame_length(enum line_type type) {
    return type == LINE_E1 ? 256 : 193;
}

struct frame_bits frame_load(enum line_type type, const uint8_t *row);
void frame_store(enum line_type type, const struct frame_bits *bits, uint8_t *row);
/* The frame whose last bit is bit number `end` (1 is the first) of `row`; it began in the row before. */
struct frame_bits frame_across(enum line_type type, const struct frame_bits *before, const struct frame_bits *row,
                               unsigned end);
/* n frames that end at bit number `end` of the rows from `line` on; `before` is the row before. */
void frames_align(enum line_type type, struct frame_bits before, unsigned end, const uint8_t (*line)[FRAME_SPAN],
                  uint8_t (*frames)[FRAME_SPAN], size_t n);
/* Zeros among the bits of a row. */
unsigned frame_zeros(enum line_type type, const uint8_t *row);

/* A line that takes its time: bits come out that many bit times later. All zeros is a line without delay. */
struct line_delay {
    unsigned bits;
    size_t rows, at;             /* a ring of the rows on their way */
    uint8_t (*held)[FRAME_SPAN]; /* NULL without delay */
};

/* The delay from now on; what was on its way is lost. False without memory, and nothing has changed. 0 frees all. */
bool line_delay_set(struct line_delay *delay, enum line_type type, unsigned bits);
/* n rows go in, as many come out in their place. */
void line_delay_run(struct line_delay *delay, enum line_type type, line_signal line, size_t n);

#endif
