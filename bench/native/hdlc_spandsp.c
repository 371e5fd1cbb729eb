/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spandsp's engine, as an anchor. */
#include "hdlc_engine.h"

#include <spandsp.h>

static hdlc_tx_state_t *tx;
static hdlc_rx_state_t *rx;
static int empty;
static unsigned good;

static void on_frame(void *data, const uint8_t *frame, int length, int ok) {
    (void)data, (void)frame;
    good += ok && length > 0;
}

static void on_underflow(void *data) {
    (void)data;
    empty = 1;
}

void engine_begin(void) {
    tx = hdlc_tx_init(tx, 0, 1, 0, on_underflow, NULL);
    rx = hdlc_rx_init(rx, 0, 0, 1, on_frame, NULL);
}

size_t engine_send(const uint8_t *frame, size_t length, size_t idle, uint8_t *line) {
    size_t octets = 0;
    empty = 0;
    hdlc_tx_frame(tx, frame, length);
    while (!empty)
        octets += (size_t)hdlc_tx_get(tx, line + octets, 8);
    if (idle)
        octets += (size_t)hdlc_tx_get(tx, line + octets, idle);
    return octets;
}

unsigned engine_receive(const uint8_t *line, size_t n) {
    good = 0;
    hdlc_rx_put(rx, line, (int)n);
    return good;
}
