// SPDX-License-Identifier: GPL-2.0-or-later
#include "port.h"

#include <string.h>

static const line_signal no_signal;

void port_init(struct port *port, enum line_type type) {
    memset(port, 0, sizeof *port);
    framer_init(&port->framer, type);
    port->alarms = ALARM_NOTOPEN | ALARM_RED;
    port->idle_octet = type == LINE_E1 ? 0xD5 : 0xFF;
    for (size_t i = 0; i < TIMESLOTS; i++) {
        port->slots[i].fd = -1;
        port->slots[i].idle_octet = port->idle_octet;
    }
}

bool port_has(const struct port *port, int timeslot) {
    return timeslot >= 1 && timeslot <= (port->framer.type == LINE_E1 ? 31 : 24);
}

void port_transmit(struct port *port, size_t n) {
    if (!port->running) {
        memset(port->out, 0, sizeof port->out);
        return;
    }
    slot_octets octets;
    for (int i = 1; port_has(port, i); i++)
        timeslot_transmit(&port->slots[i], octets[i], n);
    framer_send(&port->framer, octets, port->out, n);
}

bool port_receive(struct port *port, size_t n) {
    uint32_t before = port->alarms;
    if (!port->running) {
        port->alarms = ALARM_NOTOPEN | ALARM_RED;
        return port->alarms != before;
    }
    slot_octets octets;
    framer_receive(&port->framer, port->peer ? port->peer->out : no_signal, octets, n);
    port->alarms = port->framer.alarms;
    for (int i = 1; port_has(port, i); i++)
        timeslot_receive(&port->slots[i], octets[i], n);
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
