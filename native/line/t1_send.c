// SPDX-License-Identifier: GPL-2.0-or-later
#include "t1.h"

#include <string.h>

#define F_BIT      0x80
#define ESF_FPS    0x0B  /* 001011 in every fourth frame. Source: T1.403 (ESF) */
#define D4_PATTERN 0x8DC /* 100011011100: Ft 101010 and Fs 001110 by turns. Source: T1.403 (SF) */
#define NOT_BIT_2  0xBFBFBFBFBFBFBFBF

int t1_framing_bit(enum framing framing, unsigned frame) {
    if (framing == FRAMING_D4)
        return D4_PATTERN >> (11 - frame) & 1;
    return frame % 4 == 3 ? ESF_FPS >> (5 - frame / 4) & 1 : -1;
}

static bool spoilt(uint64_t *left) {
    bool spoil = *left > 0;
    *left -= spoil;
    return spoil;
}

static bool f_bit(struct t1_tx *tx, enum framing framing, const struct t1_orders *orders) {
    int framing_bit = t1_framing_bit(framing, tx->frame);
    if (framing_bit >= 0)
        return framing_bit ^ spoilt(orders->spoil_fas);
    if (tx->frame % 2 == 0)
        return fdl_send(&tx->fdl, orders->rai);
    return tx->crc >> (5 - tx->frame / 4) & 1;
}

/* Source: T1.403 (SF yellow alarm) */
static void clear_bit_2(uint8_t *row) {
    for (size_t i = 1; i < 25; i += 8) {
        uint64_t octets;
        memcpy(&octets, row + i, sizeof octets);
        octets &= NOT_BIT_2;
        memcpy(row + i, &octets, sizeof octets);
    }
}

static void end_superframe(struct t1_tx *tx, const struct t1_orders *orders) {
    tx->frame = 0;
    tx->crc = crc6_take(&tx->sum);
    if (spoilt(orders->spoil_crc))
        tx->crc ^= 0x3F;
}

void t1_send(struct t1_tx *tx, enum framing framing, const struct t1_orders *orders, uint8_t (*rows)[FRAME_SPAN],
             size_t n) {
    unsigned frames = t1_superframe(framing);
    while (n) {
        size_t first = tx->frame, run = frames - first < n ? frames - first : n;
        for (size_t i = 0; i < run; i++, tx->frame++)
            rows[i][0] = f_bit(tx, framing, orders) ? F_BIT : 0;
        if (framing == FRAMING_ESF) {
            crc6_add(&tx->sum, first, (const uint8_t(*)[FRAME_SPAN])rows, run);
            if (tx->frame == frames)
                end_superframe(tx, orders);
        } else {
            for (size_t i = 0; orders->rai && i < run; i++)
                clear_bit_2(rows[i]);
            tx->frame %= D4_FRAMES;
        }
        rows += run;
        n -= run;
    }
}
