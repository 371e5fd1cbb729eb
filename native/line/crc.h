// SPDX-License-Identifier: GPL-2.0-or-later
/* CRC-4 of an E1 submultiframe and CRC-6 of a T1 extended superframe.
 *
 * Each bit of a remainder is the parity of some of the block's bits, whichever the generator says; they are chosen by
 * masks, a row of the block at a time. Check bits are left out (E1: taken as zero) and T1's F bits taken as one.
 * Source: G.704 2.3.3.5 (x^4 + x + 1), 2.1.3.1.2 (x^6 + x + 1).
 */
#ifndef DAHDI_PY_CRC_H
#define DAHDI_PY_CRC_H

#include "bits.h"

#define CRC4_FRAMES 8
#define CRC6_FRAMES 24

typedef uint64_t crc_lane __attribute__((vector_size(16)));

struct crc4 {
    crc_lane sum[4][2];
};

struct crc6 {
    crc_lane sum[6][2];
};

/* Rows `frame` … frame + n - 1 of the block count. */
void crc4_add(struct crc4 *crc, size_t frame, const uint8_t (*rows)[FRAME_SPAN], size_t n);
void crc6_add(struct crc6 *crc, size_t frame, const uint8_t (*rows)[FRAME_SPAN], size_t n);
/* The remainder, first check bit highest; the next block begins. */
unsigned crc4_take(struct crc4 *crc);
unsigned crc6_take(struct crc6 *crc);

#endif
