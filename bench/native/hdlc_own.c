/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The project's own engine. */
#include "../../native/line/hdlc.h"
#include "hdlc_engine.h"

static struct hdlc_tx tx;
static struct hdlc_rx rx;

void engine_begin(void) {
    hdlc_tx_init(&tx, 0);
    hdlc_rx_init(&rx, 1024);
}

size_t engine_send(const uint8_t *frame, size_t length, size_t idle, uint8_t *line) {
    size_t octets = 0, sent;
    hdlc_tx_load(&tx, frame, length);
    while ((sent = hdlc_tx_send(&tx, line + octets, 160)) == 160)
        octets += sent;
    octets += sent;
    if (idle)
        hdlc_tx_idle(&tx, line + octets, idle);
    return octets + idle;
}

unsigned engine_receive(const uint8_t *line, size_t n) {
    unsigned good = 0;
    for (size_t at = 0, length; at<n; good += length> 0)
        at += hdlc_rx_feed(&rx, line + at, n - at, &length);
    return good;
}
