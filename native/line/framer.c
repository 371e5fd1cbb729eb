// SPDX-License-Identifier: GPL-2.0-or-later
#include "framer.h"

#include <string.h>

#define E1_FAS  0x9B /* Si 0011011, even frames. Source: G.704 table 5A */
#define E1_NFAS 0xDF /* Si 1 A=0 Sa 11111, odd frames */

void framer_init(struct framer *framer, enum line_type type) {
    memset(framer, 0, sizeof *framer);
    framer->type = type;
}

/* The framing bits. ESF's multiframe belongs here; until a framer looks for it every F bit is one. */
static void framing(struct framer *framer, uint8_t *octets, size_t n) {
    for (size_t i = 0; i < n; i++, framer->sent++)
        octets[i] = framer->type == LINE_T1 ? 0x80 : framer->sent % 2 ? E1_NFAS : E1_FAS;
}

/* Eight rows of eight octets become eight columns. */
static void transpose(const uint8_t *from, size_t from_stride, uint8_t *to, size_t to_stride) {
    uint64_t row[8];
    for (size_t i = 0; i < 8; i++)
        memcpy(&row[i], from + i * from_stride, 8);
    static const uint64_t even[3] = {0x00FF00FF00FF00FF, 0x0000FFFF0000FFFF, 0x00000000FFFFFFFF};
    for (size_t step = 1, level = 0; step < 8; step *= 2, level++)
        for (size_t i = 0; i < 8; i++) {
            if (i & step)
                continue;
            uint64_t a = row[i], b = row[i + step], mask = even[level];
            row[i] = (a & mask) | (b & mask) << 8 * step;
            row[i + step] = (a >> 8 * step & mask) | (b & ~mask);
        }
    for (size_t i = 0; i < 8; i++)
        memcpy(to + i * to_stride, &row[i], 8);
}

static size_t first_slot(const struct framer *framer) {
    return framer->type == LINE_T1 ? 1 : 0;
}

static size_t slots_end(const struct framer *framer) {
    return framer->type == LINE_T1 ? 25 : 32;
}

void framer_send(struct framer *framer, slot_octets slots, uint32_t changed, line_signal line, size_t n) {
    framing(framer, slots[0], n);
    changed |= framer->type == LINE_E1; /* timeslot 0 */
    for (size_t slot = first_slot(framer); slot < slots_end(framer); slot += 8)
        if (changed >> slot & 0xFF)
            for (size_t frame = 0; frame < n; frame += 8)
                transpose(&slots[slot][frame], TICK_FRAMES_MAX, &line[frame][slot], FRAME_SPAN);
    if (framer->type == LINE_T1)
        for (size_t frame = 0; frame < n; frame++)
            line[frame][0] = slots[0][frame];
}

/* Loss of signal: no pulse for longer than any framed signal has none. Source: G.775 (LOS). */
static bool any_pulse(const line_signal line, size_t n) {
    const uint8_t *octets = line[0];
    for (size_t i = 0; i < n * FRAME_SPAN; i += 8) {
        uint64_t word;
        memcpy(&word, octets + i, sizeof word);
        if (word)
            return true;
    }
    return false;
}

void framer_receive(struct framer *framer, const line_signal line, slot_octets slots, uint32_t wanted, size_t n) {
    if (!any_pulse(line, n)) {
        framer->alarms = ALARM_LOS | ALARM_RED;
        memset(slots, 0xFF, sizeof(slot_octets));
        return;
    }
    framer->alarms = 0;
    for (size_t slot = first_slot(framer); slot < slots_end(framer); slot += 8)
        if (wanted >> slot & 0xFF)
            for (size_t frame = 0; frame < n; frame += 8)
                transpose(&line[frame][slot], FRAME_SPAN, &slots[slot][frame], TICK_FRAMES_MAX);
}
