// SPDX-License-Identifier: GPL-2.0-or-later
#include "port.h"

#include <string.h>

static const line_signal no_signal;

void port_init(struct port *port, enum line_type type) {
    memset(port, 0, sizeof *port);
    framer_init(&port->framer, type);
    port->alarms = ALARM_NOTOPEN | ALARM_RED;
    for (size_t i = 0; i < TIMESLOTS; i++) {
        port->slots[i].fd = -1;
        port->slots[i].idle_octet = type == LINE_E1 ? 0xD5 : 0xFF; /* G.711: A-law, mu-law */
        port->slots[i].open_set = &port->open;
        port->slots[i].bit = 1u << i;
    }
    port_refresh(port);
}

void port_refresh(struct port *port) {
    port->stale = 0;
    for (int i = 1; port_has(port, i); i++)
        port->stale |= 1u << i;
}

bool port_has(const struct port *port, int timeslot) {
    return timeslot >= 1 && timeslot <= (port->framer.type == LINE_E1 ? 31 : 24);
}

void port_transmit(struct port *port, size_t n) {
    if (!port->running) {
        memset(port->out, 0, sizeof port->out);
        port_refresh(port);
        return;
    }
    uint32_t changed = port->open | port->stale;
    for (uint32_t left = changed; left; left &= left - 1) {
        int i = __builtin_ctz(left);
        timeslot_transmit(&port->slots[i], port->sending[i], n);
    }
    port->stale = port->open;
    framer_send(&port->framer, port->sending, changed, port->out, n);
}

bool port_receive(struct port *port, size_t n) {
    uint32_t before = port->alarms;
    if (!port->running) {
        port->alarms = ALARM_NOTOPEN | ALARM_RED;
        return port->alarms != before;
    }
    slot_octets octets;
    framer_receive(&port->framer, port->peer ? port->peer->out : no_signal, octets, port->open, n);
    port->alarms = port->framer.alarms;
    for (uint32_t left = port->open; left; left &= left - 1) {
        int i = __builtin_ctz(left);
        timeslot_receive(&port->slots[i], octets[i], n);
    }
    return port->alarms != before;
}

uint32_t port_held(struct port *port) {
    uint32_t held = 0;
    for (int i = 1; port_has(port, i); i++)
        held |= (uint32_t)timeslot_held(&port->slots[i]) << i;
    return held;
}

static void add_hdlc(struct hdlc_counts *sum, const struct hdlc_counts *more) {
    sum->frames += more->frames;
    sum->fcs_errors += more->fcs_errors;
    sum->aborts += more->aborts;
    sum->overlong += more->overlong;
    sum->misaligned += more->misaligned;
    sum->shorts += more->shorts;
}

void port_read_status(const struct port *port, struct port_status *status) {
    memset(status, 0, sizeof *status);
    status->alarms = port->alarms;
    status->slips = port->slips;
    for (size_t i = 0; i < TIMESLOTS; i++) {
        const struct timeslot *ts = &port->slots[i];
        status->overruns += ts->counts.overruns;
        status->underruns += ts->counts.underruns;
        status->cut += ts->counts.cut;
        status->hdlc_sent += ts->hdlc_sent;
        add_hdlc(&status->hdlc, &ts->hdlc);
        if (ts->link) {
            status->hdlc_sent += ts->link->tx.frames;
            add_hdlc(&status->hdlc, &ts->link->rx.counts);
        }
    }
}
