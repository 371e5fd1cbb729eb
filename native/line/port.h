// SPDX-License-Identifier: GPL-2.0-or-later
/* One port of the card: its timeslots, its framer, and the line behind its socket. */
#ifndef DAHDI_PY_PORT_H
#define DAHDI_PY_PORT_H

#include "framer.h"
#include "timeslot.h"

struct port {
    struct framer framer;
    struct timeslot slots[TIMESLOTS];
    struct port *peer; /* at the other end of the cable, or NULL */
    bool running;
    uint32_t open;  /* timeslots with a descriptor, one bit each */
    uint32_t stale; /* timeslots whose octets in `sending` and `out` are not those of a closed one */
    uint32_t alarms;
    uint64_t slips;      /* frames lost because the card was late */
    slot_octets sending; /* closed timeslots stay in it as they are */
    line_signal out;
};

/* Totals over a port's timeslots. */
struct port_status {
    uint32_t alarms;
    uint64_t slips;
    uint64_t overruns;
    uint64_t underruns;
    uint64_t cut;
    uint64_t hdlc_sent;
    struct hdlc_counts hdlc;
};

void port_init(struct port *port, enum line_type type);
/* What a closed timeslot sends has changed, or the line has. */
void port_refresh(struct port *port);
bool port_has(const struct port *port, int timeslot);
/* n frames leave for the cable. */
void port_transmit(struct port *port, size_t n);
/* n frames arrive from it; true when the alarms changed. */
bool port_receive(struct port *port, size_t n);
/* Timeslots open in any process, one bit each; ends that were closed are cleaned away. */
uint32_t port_held(struct port *port);
void port_read_status(const struct port *port, struct port_status *status);

#endif
