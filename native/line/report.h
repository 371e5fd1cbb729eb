// SPDX-License-Identifier: GPL-2.0-or-later
/* Performance report messages: each second an ESF receiver tells the other end what its last four seconds were.
 *
 * A second is a word here, its first octet in the high half: G3 LV G4 U1 U2 G5 SL G6, FE SE LB G1 R G2 Nm NI, each
 * octet's lowest bit first on the line. Source: T1.403 (ESF data link, performance report message).
 */
#ifndef DAHDI_PY_REPORT_H
#define DAHDI_PY_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPORT_OCTETS  11 /* address, control and four seconds; the FCS is HDLC's */
#define REPORT_SECONDS 4
#define REPORTS_KEPT   8

enum report {
    REPORT_G6 = 0x0100,     /* 320 CRC errors or more */
    REPORT_SL = 0x0200,     /* a controlled slip */
    REPORT_G5 = 0x0400,     /* 101 to 319 */
    REPORT_G4 = 0x2000,     /* 11 to 100 */
    REPORT_LV = 0x4000,     /* a line code violation */
    REPORT_G3 = 0x8000,     /* 6 to 10 */
    REPORT_G2 = 0x0004,     /* 2 to 5 */
    REPORT_G1 = 0x0010,     /* 1 */
    REPORT_LB = 0x0020,     /* the payload is looped */
    REPORT_SE = 0x0040,     /* severely errored framing, or no frames; FE is clear then */
    REPORT_FE = 0x0080,     /* a framing bit in error */
    REPORT_NUMBER = 0x0003, /* of the second, modulo 4 */
};

/* What a receiver has counted until now. */
struct report_counts {
    uint64_t crc, fas, severe, violations, slips;
};

struct report_tx {
    size_t frames; /* of this second */
    unsigned number;
    bool faulty, looped; /* at some time of this second */
    struct report_counts before;
    uint16_t seconds[REPORT_SECONDS]; /* the newest first */
};

/* What was told, each second once. */
struct report_rx {
    uint8_t own[REPORT_OCTETS]; /* the message that this end sent last */
    uint64_t total;
    uint16_t newest[REPORTS_KEPT]; /* the newest first */
    int64_t frames;                /* since the last second that was told */
};

/* What was counted before, and every second until now, is nobody's: there were no frames. */
void report_begin(struct report_tx *tx, const struct report_counts *counts);
/* n frames more have gone by; true when they ended a second, whose message is in `message`. */
bool report_elapse(struct report_tx *tx, const struct report_counts *counts, size_t n, uint8_t *message);
/* A frame without its FCS came on the data link; false when it is none of these messages. What this end has just sent
 * itself comes off a loop, and tells of nobody else. */
bool report_take(struct report_rx *rx, const uint8_t *message, size_t length);

#endif
