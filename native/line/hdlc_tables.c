// SPDX-License-Identifier: GPL-2.0-or-later
#include "hdlc_tables.h"

struct hdlc_stuffed hdlc_stuff[5][256];
struct hdlc_plain hdlc_unstuff[7][256];
uint16_t hdlc_fcs_slice[8][256];

static struct hdlc_stuffed stuff(unsigned octet, unsigned ones) {
    struct hdlc_stuffed out = {0, 0, 0};
    for (unsigned bit = 0; bit < 8; bit++) {
        unsigned value = octet >> bit & 1;
        out.line = (uint16_t)(out.line << 1 | value);
        out.bits++;
        ones = value ? ones + 1 : 0;
        if (ones == 5) {
            out.line = (uint16_t)(out.line << 1);
            out.bits++;
            ones = 0;
        }
    }
    out.ones = (uint8_t)ones;
    return out;
}

static struct hdlc_plain unstuff(unsigned octet, unsigned ones) {
    struct hdlc_plain out = {0};
    for (int bit = 7; bit >= 0; bit--) {
        if (octet >> bit & 1) {
            if (++ones <= 5)
                out.frame |= (uint8_t)(1u << out.bits++);
            else if (ones == 7)
                out.event = 1;
        } else {
            if (ones < 5)
                out.bits++;
            else if (ones == 6)
                out.event = 1;
            out.unstuffed = ones == 5;
            ones = 0;
        }
        if (out.event)
            break;
    }
    out.ones = (uint8_t)ones;
    return out;
}

/* Generator x^16 + x^12 + x^5 + 1, least significant bit first. */
static uint16_t fcs_octet(unsigned octet) {
    unsigned fcs = octet;
    for (int bit = 0; bit < 8; bit++)
        fcs = fcs & 1 ? fcs >> 1 ^ 0x8408 : fcs >> 1;
    return (uint16_t)fcs;
}

__attribute__((constructor)) static void fill(void) {
    for (unsigned octet = 0; octet < 256; octet++) {
        for (unsigned ones = 0; ones < 5; ones++)
            hdlc_stuff[ones][octet] = stuff(octet, ones);
        for (unsigned ones = 0; ones < 7; ones++)
            hdlc_unstuff[ones][octet] = unstuff(octet, ones);
        hdlc_fcs_slice[0][octet] = fcs_octet(octet);
    }
    for (unsigned slice = 1; slice < 8; slice++)
        for (unsigned octet = 0; octet < 256; octet++) {
            uint16_t before = hdlc_fcs_slice[slice - 1][octet];
            hdlc_fcs_slice[slice][octet] = (uint16_t)(before >> 8 ^ hdlc_fcs_slice[0][before & 0xFF]);
        }
}
