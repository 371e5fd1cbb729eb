// SPDX-License-Identifier: GPL-2.0-or-later
#include "crc.h"

#include <string.h>

/* By row of the block and bit of the remainder, highest first. */
static crc_lane crc4_mask[CRC4_FRAMES][4][2];
static crc_lane crc6_mask[CRC6_FRAMES][6][2];
static unsigned crc6_f_bits; /* what F bits of one are worth */

static inline void add(crc_lane (*sum)[2], crc_lane (*mask)[2], const uint8_t *row, size_t bits) {
    crc_lane low, high;
    memcpy(&low, row, sizeof low);
    memcpy(&high, row + sizeof low, sizeof high);
#pragma GCC unroll 6
    for (size_t i = 0; i < bits; i++) {
        sum[i][0] ^= low & mask[i][0];
        sum[i][1] ^= high & mask[i][1];
    }
}

static inline unsigned take(crc_lane (*sum)[2], size_t bits) {
    unsigned remainder = 0;
    for (size_t i = 0; i < bits; i++) {
        crc_lane both = sum[i][0] ^ sum[i][1];
        remainder = remainder << 1 | (unsigned)__builtin_parityll(both[0] ^ both[1]);
        sum[i][0] = sum[i][1] = (crc_lane){0};
    }
    return remainder;
}

void crc4_add(struct crc4 *crc, size_t frame, const uint8_t (*rows)[FRAME_SPAN], size_t n) {
    struct crc4 local = *crc;
    for (size_t i = 0; i < n; i++)
        add(local.sum, crc4_mask[frame + i], rows[i], 4);
    *crc = local;
}

void crc6_add(struct crc6 *crc, size_t frame, const uint8_t (*rows)[FRAME_SPAN], size_t n) {
    struct crc6 local = *crc;
    for (size_t i = 0; i < n; i++)
        add(local.sum, crc6_mask[frame + i], rows[i], 6);
    *crc = local;
}

unsigned crc4_take(struct crc4 *crc) {
    return take(crc->sum, 4);
}

unsigned crc6_take(struct crc6 *crc) {
    return take(crc->sum, 6) ^ crc6_f_bits;
}

/* Where bit `place` of a frame is in its row. */
static void choose(crc_lane *mask, enum line_type type, size_t place) {
    size_t at = type == LINE_E1 || place == 0 ? place : place + 7;
    uint8_t octets[FRAME_SPAN];
    memcpy(octets, mask, sizeof octets);
    octets[at / 8] |= (uint8_t)(0x80 >> at % 8);
    memcpy(mask, octets, sizeof octets);
}

/* The last bit of a block is worth x^degree, the one before x times as much. */
static unsigned times_x(unsigned value, unsigned degree) {
    value <<= 1;
    return value >> degree ? value ^ (1u << degree | 3) : value;
}

__attribute__((constructor)) static void fill(void) {
    unsigned worth = 3; /* x^4 = x + 1 */
    for (size_t frame = CRC4_FRAMES; frame--;)
        for (size_t place = 256; place--; worth = times_x(worth, 4)) {
            bool check_bit = place == 0 && frame % 2 == 0;
            for (size_t i = 0; i < 4 && !check_bit; i++)
                if (worth >> (3 - i) & 1)
                    choose(crc4_mask[frame][i], LINE_E1, place);
        }
    worth = 3; /* x^6 = x + 1 */
    for (size_t frame = CRC6_FRAMES; frame--;)
        for (size_t place = 193; place--; worth = times_x(worth, 6)) {
            if (place == 0)
                crc6_f_bits ^= worth;
            for (size_t i = 0; i < 6 && place > 0; i++)
                if (worth >> (5 - i) & 1)
                    choose(crc6_mask[frame][i], LINE_T1, place);
        }
}
