// SPDX-License-Identifier: GPL-2.0-or-later
#include "t1.h"

#include <string.h>

#define LOSS_OF            0xF /* two of the last four framing bits. Source: T1.403 (out of frame) */
#define LOSS_WRONG         2
#define PERIOD_WRONG       2  /* Source: RFC 4805 3.4.2 (out of frame) */
#define D4_PERIOD          6  /* frames, 0.75 ms */
#define CRC_WRONG          32 /* in a row: frame alignment may be false then. Source: G.706 2.2.2 */
#define BIT_2              0x4040404040404040
#define YELLOW_ONES        2   /* bits 2 of the 288 of a superframe that errors may have set */
#define YELLOW_SUPERFRAMES 224 /* 335 ms. Source: RFC 4805 3.4.4 (far end alarm, D4) */

void t1_found(struct t1_rx *rx, enum framing framing, unsigned frame) {
    memset(rx, 0, offsetof(struct t1_rx, fdl));
    rx->frame = (frame + 1) % t1_superframe(framing);
    fdl_found(&rx->fdl);
}

/* True when frame alignment is lost. Only Ft counts with D4, for Fs carries the alarm of some multiplexers. */
static bool look_at_framing(struct t1_rx *rx, enum framing framing, struct framer_counts *counts, bool bit) {
    int expected = t1_framing_bit(framing, rx->frame);
    unsigned period = framing == FRAMING_D4 ? D4_PERIOD : CRC6_FRAMES;
    bool lost = false;
    if (expected >= 0) {
        bool wrong = bit != (bool)expected;
        counts->fas += wrong;
        if (framing == FRAMING_ESF || rx->frame % 2 == 0) {
            rx->wrong = (rx->wrong << 1 | wrong) & LOSS_OF;
            rx->period_wrong += wrong;
            lost = __builtin_popcount(rx->wrong) >= LOSS_WRONG;
        }
    }
    if ((rx->frame + 1) % period == 0) {
        counts->severe += rx->period_wrong >= PERIOD_WRONG;
        rx->period_wrong = 0;
    }
    return lost;
}

static void look_at_bit_2(struct t1_rx *rx, const uint8_t *row) {
    for (size_t i = 1; i < 25 && rx->yellow_frames <= YELLOW_ONES; i += 8) {
        uint64_t octets;
        memcpy(&octets, row + i, sizeof octets);
        rx->yellow_frames += (unsigned)__builtin_popcountll(octets & BIT_2);
    }
    if (rx->frame < D4_FRAMES - 1)
        return;
    bool yellow = rx->yellow_frames <= YELLOW_ONES;
    rx->yellow_frames = 0;
    rx->yellow = yellow ? rx->yellow + 1 : 0;
    rx->rai = rx->yellow >= YELLOW_SUPERFRAMES;
}

static void look_at_crc(struct t1_rx *rx, struct framer_counts *counts, const uint8_t (*row)[FRAME_SPAN]) {
    int errored = t1_check_feed(&rx->check, rx->frame, row);
    if (errored < 0)
        return;
    counts->crc += errored > 0;
    rx->crc_wrong = errored ? rx->crc_wrong + 1 : 0;
    rx->doubted = rx->crc_wrong >= CRC_WRONG;
}

static bool look(struct t1_rx *rx, enum framing framing, struct framer_counts *counts,
                 const uint8_t (*row)[FRAME_SPAN]) {
    bool bit = row[0][0] >> 7, lost = look_at_framing(rx, framing, counts, bit);
    if (framing == FRAMING_D4) {
        look_at_bit_2(rx, row[0]);
    } else {
        if (rx->frame % 2 == 0) {
            fdl_receive(&rx->fdl, bit);
            rx->rai = rx->fdl.rai;
        }
        look_at_crc(rx, counts, row);
    }
    rx->frame = (rx->frame + 1) % t1_superframe(framing);
    return lost;
}

size_t t1_receive(struct t1_rx *rx, enum framing framing, struct framer_counts *counts,
                  const uint8_t (*rows)[FRAME_SPAN], size_t n, bool *lost) {
    *lost = false;
    for (size_t i = 0; i < n; i++)
        if (look(rx, framing, counts, rows + i)) {
            counts->severe += rx->period_wrong >= PERIOD_WRONG;
            *lost = true;
            return i + 1;
        }
    return n;
}
