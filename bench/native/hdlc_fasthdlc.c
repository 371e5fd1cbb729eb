/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DAHDI's engine with an FCS by table, as the kernel drives it: octet by octet; an anchor. */
#define FAST_HDLC_NEED_TABLES
#include "fasthdlc.h"
#include "hdlc_engine.h"

#define GOOD_FCS 0xF0B8 /* Source: Q.921 2.7 */

static uint16_t fcs_table[256];
static struct fasthdlc_state tx, rx;
static uint16_t fcs;
static size_t received;

void engine_begin(void) {
    fasthdlc_precalc();
    for (unsigned i = 0; i < 256; i++) {
        unsigned value = i;
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? value >> 1 ^ 0x8408 : value >> 1;
        fcs_table[i] = (uint16_t)value;
    }
    fasthdlc_init(&tx, FASTHDLC_MODE_64);
    fasthdlc_init(&rx, FASTHDLC_MODE_64);
    fasthdlc_tx_frame_nocheck(&tx);
    fcs = 0xFFFF;
    received = 0;
}

static size_t drain(uint8_t *line) {
    size_t octets = 0;
    while (tx.bits >= 8)
        line[octets++] = (uint8_t)fasthdlc_tx_run_nocheck(&tx);
    return octets;
}

static size_t put(uint8_t octet, uint8_t *line) {
    fasthdlc_tx_load_nocheck(&tx, octet);
    return drain(line);
}

size_t engine_send(const uint8_t *frame, size_t length, size_t idle, uint8_t *line) {
    size_t octets = drain(line);
    uint16_t check = 0xFFFF;
    for (size_t i = 0; i < length; i++) {
        check = (uint16_t)(check >> 8 ^ fcs_table[(check ^ frame[i]) & 0xFF]);
        octets += put(frame[i], line + octets);
    }
    check ^= 0xFFFF;
    octets += put(check & 0xFF, line + octets);
    octets += put(check >> 8, line + octets);
    for (size_t i = 0; i <= idle; i++) {
        fasthdlc_tx_frame_nocheck(&tx);
        octets += drain(line + octets);
    }
    return octets;
}

unsigned engine_receive(const uint8_t *line, size_t n) {
    unsigned good = 0;
    for (size_t i = 0; i < n; i++) {
        fasthdlc_rx_load_nocheck(&rx, line[i]);
        int result;
        while ((result = fasthdlc_rx_run(&rx)) != RETURN_EMPTY_FLAG) {
            if (result & (RETURN_COMPLETE_FLAG | RETURN_DISCARD_FLAG)) {
                good += result & RETURN_COMPLETE_FLAG && received > 3 && fcs == GOOD_FCS;
                fcs = 0xFFFF;
                received = 0;
            } else {
                fcs = (uint16_t)(fcs >> 8 ^ fcs_table[(fcs ^ result) & 0xFF]);
                received++;
            }
        }
    }
    return good;
}
