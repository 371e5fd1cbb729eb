// SPDX-License-Identifier: GPL-2.0-or-later
/* What one octet does to an HDLC engine, by octet and by the ones in a row before it. */
#ifndef DAHDI_PY_HDLC_TABLES_H
#define DAHDI_PY_HDLC_TABLES_H

#include <stdint.h>

#define HDLC_FLAG 0x7E

/* A frame octet on its way out: up to ten line bits, first one highest. */
struct hdlc_stuffed {
    uint16_t line;
    uint8_t bits;
    uint8_t ones; /* in a row after it */
};

/* A line octet on its way in: up to eight frame bits, first one lowest. */
struct hdlc_plain {
    uint8_t frame;
    uint8_t bits;
    uint8_t ones;
    uint8_t event : 1;     /* a flag or an abort ends inside: look at every bit */
    uint8_t unstuffed : 1; /* its last zero came after five ones */
};

extern struct hdlc_stuffed hdlc_stuff[5][256];
extern struct hdlc_plain hdlc_unstuff[7][256];
extern uint16_t hdlc_fcs_slice[8][256];

#endif
