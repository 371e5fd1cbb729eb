// SPDX-License-Identifier: GPL-2.0-or-later
/* One port of the card: its timeslots, its framer, its clock and loops, and the line behind its socket. */
#ifndef DAHDI_PY_PORT_H
#define DAHDI_PY_PORT_H

#include "cable.h"
#include "elastic.h"
#include "framer.h"
#include "inband.h"
#include "timeslot.h"

enum loop {
    LOOP_NONE,
    LOOP_LOCAL,   /* what it sends is what it receives; the line gets it too */
    LOOP_LINE,    /* what arrives goes back, bits untouched */
    LOOP_PAYLOAD, /* the timeslots that arrive go back in frames of its own */
};

#define LOOP_STAYS 0 /* frames */

struct port {
    struct framer framer;
    struct cable_end end;
    struct timeslot slots[TIMESLOTS];
    bool running;
    enum loop loop;
    uint32_t slot_loops;                 /* timeslots that go back as they arrive, one bit each */
    uint64_t loop_left, slot_loops_left; /* frames until they end, LOOP_STAYS for never */
    uint32_t open;                       /* timeslots with a descriptor, one bit each */
    uint32_t stale; /* timeslots whose octets in `sending` and `out` are not those of a closed one */
    uint32_t alarms;
    size_t frames; /* of this tick, by its clock */
    struct elastic store;
    uint32_t heard;      /* timeslots read last tick: of others the store knows nothing */
    uint64_t lost;       /* frames lost because the card was late */
    slot_octets sending; /* closed timeslots stay in it as they are */
    line_signal out;

    elastic_rows back; /* what arrived last tick, to go back, behind a margin */
    size_t back_frames;
    struct elastic back_store;

    struct inband_tx code;                /* on its way out, in place of all timeslots */
    bool listens;                         /* T1: `payload` is kept */
    size_t payload_frames;                /* none out of frame */
    uint8_t payload[TICK_FRAMES_MAX][24]; /* the timeslots of this tick, frame by frame */
};

/* A port now; counts are since the card's start, over all its timeslots. */
struct port_status {
    uint32_t alarms;
    bool signal;     /* a level is known */
    double level_db; /* off nominal, at its receiver */
    bool clocked_by_line;
    bool follows;
    double clock_ppm, oscillator_ppm; /* of its clock now, of its own */
    enum loop loop;
    uint32_t slot_loops;
    uint64_t loop_left, slot_loops_left;
    struct framer_counts line;
    bool reported; /* ESF: the far end tells of its receiver */
    struct report_rx reports;
    uint64_t slips; /* all of them */
    uint64_t slips_left_out, slips_repeated;
    uint64_t lost;
    uint64_t overruns;
    uint64_t underruns;
    uint64_t cut;
    uint64_t hdlc_sent;
    struct hdlc_counts hdlc;
};

void port_init(struct port *port, enum line_type type, uint64_t seed);
/* What a closed timeslot sends has changed, or the line has. */
void port_refresh(struct port *port);
bool port_has(const struct port *port, int timeslot);
/* The loop is set for so many frames, LOOP_STAYS for good, and every other loop of the whole port gone. */
void port_set_loop(struct port *port, enum loop loop, uint64_t frames);
/* These timeslots go back as they arrive, for so many frames, and no others. */
void port_set_slot_loops(struct port *port, uint32_t slots, uint64_t frames);
/* A tick of so many frames, on a clock without offset: what the port sends leaves for the cable. */
void port_transmit(struct port *port, size_t nominal);
/* What arrives is fetched off the cable, after every port has sent. */
void port_fetch(struct port *port);
/* It is received; true when the alarms changed. */
bool port_receive(struct port *port, size_t nominal);
/* Timeslots open in any process, one bit each; ends that were closed are cleaned away. */
uint32_t port_held(struct port *port);
void port_read_status(const struct port *port, struct port_status *status);

#endif
