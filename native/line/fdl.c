// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdl.h"

#include <string.h>

#define OCTET_BITS    8
#define FRAME_MAX     128 /* longest frame listened to, octets with FCS */
#define WORD_BITS     16
#define INTERVALS     10 /* a message is looked for in so many */
#define INTERVALS_HIT 7  /* and found when it came in so many. Source: RFC 4805 3.4.4 (far end alarm) */
#define WORDS_OVER_RAI                                                                                                 \
    25 /* 100 ms: the longest that a command may interrupt RAI. Source: T1.403 (priority messages)                     \
        */

bool fdl_is_codeword(uint16_t code) {
    return (code & 0x81FF) == 0x00FF;
}

void fdl_send_bom(struct fdl_tx *fdl, uint16_t code, unsigned repeats) {
    fdl->code = code;
    fdl->repeats = code ? repeats : 0;
    fdl->endless = code && repeats == 0;
}

void fdl_send_frame(struct fdl_tx *fdl, const uint8_t *frame, size_t length) {
    if (!fdl->bom)
        hdlc_tx_load(&fdl->hdlc, frame, length);
}

static uint8_t reversed(uint8_t octet) {
    octet = (uint8_t)(octet << 4 | octet >> 4);
    octet = (uint8_t)((octet & 0x33) << 2 | (octet >> 2 & 0x33));
    return (uint8_t)((octet & 0x55) << 1 | (octet >> 1 & 0x55));
}

static void next_octet(struct fdl_tx *fdl) {
    uint8_t octet;
    if (hdlc_tx_send(&fdl->hdlc, &octet, 1) == 0)
        hdlc_tx_idle(&fdl->hdlc, &octet, 1);
    fdl->word = reversed(octet);
    fdl->left = OCTET_BITS;
}

static void next_word(struct fdl_tx *fdl, bool rai) {
    bool command = fdl->repeats > 0 && fdl->repeats <= WORDS_OVER_RAI, bom = rai || fdl->repeats || fdl->endless;
    if (bom && !fdl->bom)
        hdlc_tx_init(&fdl->hdlc, 0); /* a frame that codewords cut is lost */
    fdl->bom = bom;
    if (!bom) {
        next_octet(fdl);
        return;
    }
    fdl->left = WORD_BITS;
    if (rai && !command) {
        fdl->word = FDL_RAI;
    } else {
        fdl->word = fdl->code;
        fdl->repeats -= fdl->repeats > 0;
    }
}

bool fdl_send(struct fdl_tx *fdl, bool rai) {
    if (fdl->left == 0)
        next_word(fdl, rai);
    bool bit = fdl->word & 1;
    fdl->word >>= 1;
    fdl->left--;
    return bit;
}

static bool often(uint16_t hits) {
    return __builtin_popcount(hits) >= INTERVALS_HIT;
}

/* One interval of the candidate is over. */
static void interval(struct fdl_rx *fdl, bool hit) {
    fdl->hits = (uint16_t)((fdl->hits << 1 | hit) & ((1 << INTERVALS) - 1));
    if (often(fdl->hits)) {
        if (fdl->candidate == FDL_RAI)
            fdl->rai = true;
        if (fdl->now != fdl->candidate) {
            fdl->now = fdl->last = fdl->candidate;
            fdl->missed = 0;
            fdl->received++;
        }
    }
    if (!fdl->hits)
        fdl->candidate = 0;
}

void fdl_found(struct fdl_rx *fdl) {
    memset(fdl, 0, offsetof(struct fdl_rx, last));
    hdlc_rx_init(&fdl->hdlc, FRAME_MAX);
}

static void receive_frame(struct fdl_rx *fdl, bool bit) {
    fdl->octet = (uint8_t)(fdl->octet << 1 | bit);
    if (++fdl->octet_bits < OCTET_BITS)
        return;
    size_t length;
    fdl->octet_bits = 0;
    hdlc_rx_feed(&fdl->hdlc, &fdl->octet, 1, &length);
    if (length)
        report_take(&fdl->report, fdl->hdlc.frame, length - HDLC_FCS);
}

void fdl_receive(struct fdl_rx *fdl, bool bit) {
    receive_frame(fdl, bit);
    fdl->bits = (uint16_t)(fdl->bits >> 1 | bit << (WORD_BITS - 1));
    bool codeword = fdl_is_codeword(fdl->bits);
    /* Anywhere, for an end: ten intervals without. Source: RFC 4805 3.4.4 */
    fdl->missed = codeword && fdl->bits == fdl->now ? 0 : fdl->missed + 1;
    fdl->rai_missed = codeword && fdl->bits == FDL_RAI ? 0 : fdl->rai_missed + 1;
    if (fdl->missed >= INTERVALS * WORD_BITS)
        fdl->now = 0;
    if (fdl->rai_missed >= INTERVALS * WORD_BITS)
        fdl->rai = false;
    if (fdl->candidate && ++fdl->phase < WORD_BITS)
        return;
    bool hit = codeword && fdl->bits == fdl->candidate;
    if (fdl->candidate)
        interval(fdl, hit);
    fdl->phase = 0;
    /* Another one takes the place of one that was not received yet or has gone. */
    if (codeword && !hit && !(often(fdl->hits) && fdl->candidate)) {
        fdl->candidate = fdl->bits;
        fdl->hits = 1;
    }
}
