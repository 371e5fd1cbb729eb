// SPDX-License-Identifier: GPL-2.0-or-later
#include "e1.h"

#define FAS      0x1B /* bits 2-8 of even frames. Source: G.704 table 5A */
#define NFAS     0x40 /* bit 2 of odd ones */
#define RAI      0x20 /* their bit 3 */
#define BIT_1    0x80
#define CAS_MFAS 0x0B /* 0000 1 y 11. Source: G.704 table 9 */
#define CAS_LOST 0x04
#define CAS_IDLE 0xDD /* 1101 for both timeslots: idle, not 0000 */

/* Bit 1 of the odd frames of a multiframe, but for the E bits. Source: G.704 table 5B */
static const uint8_t alignment_signal[16] = {[5] = BIT_1, [9] = BIT_1, [11] = BIT_1};

static bool spoilt(uint64_t *left) {
    bool spoil = *left > 0;
    *left -= spoil;
    return spoil;
}

static uint8_t e_bit(struct e1_tx *tx, const struct e1_orders *orders, unsigned submultiframe) {
    bool errored = tx->owed[submultiframe] > 0;
    tx->owed[submultiframe] -= errored;
    return errored || !orders->checked ? 0 : BIT_1;
}

static uint8_t word(struct e1_tx *tx, const struct framing_config *config, const struct e1_orders *orders) {
    unsigned check_bit = tx->crc >> (3 - tx->frame % CRC4_FRAMES / 2) & 1;
    uint8_t first = !config->crc4 || check_bit ? BIT_1 : 0;
    return (uint8_t)(first | (spoilt(orders->spoil_fas) ? FAS ^ 0x01 : FAS));
}

static uint8_t no_word(struct e1_tx *tx, const struct framing_config *config, const struct e1_orders *orders) {
    uint8_t first = BIT_1;
    if (config->crc4)
        first = tx->frame >= 13 ? e_bit(tx, orders, tx->frame == 15) : alignment_signal[tx->frame];
    return (uint8_t)(first | NFAS | (orders->rai ? RAI : 0) | tx->spare);
}

static void end_submultiframe(struct e1_tx *tx, const struct e1_orders *orders) {
    tx->crc = crc4_take(&tx->sum);
    if (spoilt(orders->spoil_crc))
        tx->crc ^= 0xF;
}

void e1_send(struct e1_tx *tx, const struct framing_config *config, const struct e1_orders *orders,
             uint8_t (*rows)[FRAME_SPAN], size_t n) {
    while (n) {
        size_t first = tx->frame % CRC4_FRAMES, run = CRC4_FRAMES - first < n ? CRC4_FRAMES - first : n;
        for (size_t i = 0; i < run; i++, tx->frame++) {
            rows[i][0] = tx->frame % 2 ? no_word(tx, config, orders) : word(tx, config, orders);
            if (config->cas)
                rows[i][16] = tx->frame % 16 ? CAS_IDLE : CAS_MFAS | (orders->cas_lost ? CAS_LOST : 0);
        }
        tx->frame %= 16;
        if (config->crc4) {
            crc4_add(&tx->sum, first, (const uint8_t(*)[FRAME_SPAN])rows, run);
            if (tx->frame % CRC4_FRAMES == 0)
                end_submultiframe(tx, orders);
        }
        rows += run;
        n -= run;
    }
}
