// SPDX-License-Identifier: GPL-2.0-or-later
/* The facility data link of ESF: 4 kbit/s of bit-oriented messages, else HDLC frames and flags between them.
 *
 * A codeword is written as in the tables of the standard, 0xxxxxx0 11111111 (line loopback activate is 0x0EFF), and its
 * rightmost bit is sent first. Source: T1.403 (ESF data link, bit-oriented messages).
 */
#ifndef DAHDI_PY_FDL_H
#define DAHDI_PY_FDL_H

#include "hdlc.h"
#include "report.h"

#define FDL_RAI 0x00FF /* the yellow alarm, a priority codeword */

struct fdl_tx {
    uint16_t word; /* on its way, next bit lowest */
    unsigned left; /* bits of it */
    uint16_t code;
    unsigned repeats;
    bool endless;
    bool bom; /* a codeword went out last, no octet of frames */
    struct hdlc_tx hdlc;
};

/* What the receiver sees: one bit-oriented message, frames, and the reports in them. */
struct fdl_rx {
    uint8_t octet; /* of what may be a frame, newest bit lowest */
    unsigned octet_bits;
    uint16_t bits;      /* the last sixteen, newest highest */
    uint16_t candidate; /* codeword looked at, 0 for none */
    unsigned phase;     /* bits since it was due */
    uint16_t hits;      /* in which of the last ten intervals it came, newest lowest */
    uint16_t now;       /* the codeword that is being received, 0 for none */
    unsigned missed;    /* intervals without it */
    bool rai;
    unsigned rai_missed;
    struct hdlc_rx hdlc;
    /* From here on it is kept when frame alignment is lost. */
    uint16_t last;     /* the codeword received last */
    uint64_t received; /* how many messages were */
    struct report_rx report;
};

bool fdl_is_codeword(uint16_t code);
/* The codeword goes out that many times, 0 for until the next order; code 0 stops. */
void fdl_send_bom(struct fdl_tx *fdl, uint16_t code, unsigned repeats);
/* The frame follows the one before, unless codewords keep it out: messages that matter come again. */
void fdl_send_frame(struct fdl_tx *fdl, const uint8_t *frame, size_t length);
/* The next bit. */
bool fdl_send(struct fdl_tx *fdl, bool rai);
/* Frame alignment was found: what was on its way is lost. */
void fdl_found(struct fdl_rx *fdl);
void fdl_receive(struct fdl_rx *fdl, bool bit);

#endif
