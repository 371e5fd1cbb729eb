// SPDX-License-Identifier: GPL-2.0-or-later
#include "port.h"

#include <string.h>

static const struct framing_config e1_config = {LINE_E1, FRAMING_E1, CODING_HDB3, .crc4 = true};
static const struct framing_config t1_config = {LINE_T1, FRAMING_ESF, CODING_B8ZS, .crc4 = false};

void port_init(struct port *port, enum line_type type, uint64_t seed) {
    memset(port, 0, sizeof *port);
    framer_init(&port->framer, type == LINE_E1 ? &e1_config : &t1_config);
    framer_number_reports(&port->framer, (unsigned)seed);
    cable_end_init(&port->end, type, seed);
    elastic_init(&port->store);
    elastic_init(&port->back_store);
    port->alarms = ALARM_NOTOPEN | ALARM_RED;
    for (size_t i = 0; i < TIMESLOTS; i++) {
        port->slots[i].fd = -1;
        port->slots[i].idle_octet = type == LINE_E1 ? 0xD5 : 0xFF; /* G.711: A-law, mu-law */
        port->slots[i].open_set = &port->open;
        port->slots[i].heard_set = &port->heard;
        port->slots[i].bit = 1u << i;
    }
    port_refresh(port);
}

static uint32_t all_slots(const struct port *port) {
    return port->framer.config.type == LINE_E1 ? 0xFFFFFFFEu : 0x01FFFFFEu;
}

void port_refresh(struct port *port) {
    port->stale = all_slots(port);
}

bool port_has(const struct port *port, int timeslot) {
    return timeslot >= 1 && timeslot < TIMESLOTS && all_slots(port) >> timeslot & 1;
}

/* Timeslots that are sent back as they arrived. */
static uint32_t going_back(const struct port *port) {
    return port->loop == LOOP_PAYLOAD ? all_slots(port) : port->slot_loops;
}

static void empty_back(struct port *port) {
    memset(port->back, 0xFF, sizeof port->back);
    port->back_frames = 0;
    elastic_init(&port->back_store);
    port_refresh(port);
}

void port_set_loop(struct port *port, enum loop loop, uint64_t frames) {
    port->loop = loop;
    port->loop_left = loop == LOOP_NONE ? LOOP_STAYS : frames;
    port->end.returns_line = loop == LOOP_LINE;
    empty_back(port);
}

void port_set_slot_loops(struct port *port, uint32_t slots, uint64_t frames) {
    port->slot_loops = slots & all_slots(port);
    port->slot_loops_left = port->slot_loops ? frames : LOOP_STAYS;
    empty_back(port);
}

/* Whether that time is over now. */
static bool runs_out(uint64_t *left, size_t frames) {
    bool out = *left != LOOP_STAYS && *left <= frames;
    *left = out || *left == LOOP_STAYS ? LOOP_STAYS : *left - frames;
    return out;
}

/* A loop that somebody forgot ends by itself. */
static void end_loops(struct port *port) {
    if (runs_out(&port->loop_left, port->frames))
        port_set_loop(port, LOOP_NONE, LOOP_STAYS);
    if (runs_out(&port->slot_loops_left, port->frames))
        port_set_slot_loops(port, 0, LOOP_STAYS);
}

/* What arrived last tick takes the place of what the clients wrote. */
static void send_back(struct port *port, uint32_t slots) {
    if (port->back_frames == 0) {
        for (uint32_t left = slots; left; left &= left - 1)
            memset(port->sending[__builtin_ctz(left)], 0xFF, port->frames);
        return;
    }
    size_t at = elastic_read(&port->back_store, port->back, slots, port->back_frames, port->frames, 0);
    for (uint32_t left = slots; left; left &= left - 1) {
        int i = __builtin_ctz(left);
        memcpy(port->sending[i], port->back[i] + at, port->frames);
    }
}

static uint64_t slips(const struct port *port) {
    return port->store.left_out + port->store.repeated;
}

void port_transmit(struct port *port, size_t nominal) {
    port->frames = cable_frames(&port->end, nominal);
    port->end.sends.signal = false;
    end_loops(port);
    if (!port->running) {
        port_refresh(port);
        framer_stand_still(&port->framer, port->frames);
        return;
    }
    uint32_t back = going_back(port),
             changed = port->open | port->stale | back | (port->code.left ? all_slots(port) : 0);
    for (uint32_t left = changed; left; left &= left - 1) {
        int i = __builtin_ctz(left);
        bool open = port->open >> i & 1; /* a closed one has the same octet in every frame that a tick may have */
        timeslot_transmit(&port->slots[i], port->sending[i], open ? port->frames : TICK_FRAMES_MAX);
    }
    if (back)
        send_back(port, back);
    port->stale = port->open | back | (port->code.left ? all_slots(port) : 0);
    if (port->code.left)
        inband_send(&port->code, port->sending, port->frames);
    struct arrival *sends = &port->end.sends;
    sends->place = port->framer.config.type == LINE_E1 ? port->framer.tx.e1.frame : port->framer.tx.t1.frame;
    sends->coding = port->end.coding = port->framer.config.coding;
    sends->esf = port->framer.config.framing == FRAMING_ESF;
    port->framer.slips = slips(port);
    port->framer.payload_looped = port->loop == LOOP_PAYLOAD;
    framer_send(&port->framer, port->sending, changed, port->out, port->frames);
    sends->signal = port->loop != LOOP_LINE && framer_has_signal(&port->framer);
    sends->line = (const uint8_t(*)[FRAME_SPAN])port->out;
    sends->frames = port->frames;
    sends->rate_ppb = port->end.rate_ppb;
}

void port_fetch(struct port *port) {
    cable_receive(&port->end, port->frames);
    if (port->running && port->loop == LOOP_LINE)
        cable_return(&port->end);
}

/* Where in the rows the frames of this tick begin. */
static size_t read_line(struct port *port, const struct arrival *arrival, elastic_rows rows, uint32_t wanted,
                        size_t nominal) {
    uint8_t(*behind_margin)[TICK_FRAMES_MAX] = (uint8_t(*)[TICK_FRAMES_MAX])(rows[0] + ELASTIC_MARGIN);
    struct line_input input = {arrival->signal, arrival->violations};
    framer_receive(&port->framer, arrival->line, &input, behind_margin, wanted, arrival->frames);
    if (!arrival->signal) {
        elastic_centre(&port->store);
        return ELASTIC_MARGIN;
    }
    int64_t drift = (int64_t)nominal * (arrival->rate_ppb - port->end.rate_ppb);
    return elastic_read(&port->store, rows, wanted, arrival->frames, port->frames, drift);
}

static void keep_payload(struct port *port, elastic_rows rows, size_t at) {
    port->payload_frames = port->framer.rx.aligned ? port->frames : 0;
    for (size_t frame = 0; frame < port->payload_frames; frame++)
        for (size_t i = 0; i < 24; i++)
            port->payload[frame][i] = rows[i + 1][at + frame];
}

bool port_receive(struct port *port, size_t nominal) {
    uint32_t before = port->alarms, back = going_back(port),
             wanted = port->open | back | (port->listens ? all_slots(port) : 0);
    if (!port->running) {
        port->alarms = ALARM_NOTOPEN | ALARM_RED;
        port->end.usable = false;
        return port->alarms != before;
    }
    elastic_rows rows;
    const struct arrival *arrival = port->loop == LOOP_LOCAL ? &port->end.sends : &port->end.arrives;
    size_t at = read_line(port, arrival, rows, wanted, nominal);
    port->alarms = port->framer.alarms | (port->loop ? ALARM_LOOPBACK : 0);
    port->end.usable =
        port->loop != LOOP_LOCAL && !(port->framer.alarms & (ALARM_RED | ALARM_BLUE | ALARM_LOS | ALARM_LFA));
    for (uint32_t left = port->open; left; left &= left - 1) {
        int i = __builtin_ctz(left);
        size_t from = at < ELASTIC_MARGIN && !(port->heard >> i & 1) ? ELASTIC_MARGIN : at;
        timeslot_receive(&port->slots[i], rows[i] + from, at + port->frames - from);
    }
    if (port->listens)
        keep_payload(port, rows, at);
    for (uint32_t left = back; left; left &= left - 1) {
        int i = __builtin_ctz(left);
        memcpy(port->back[i] + ELASTIC_MARGIN, rows[i] + at, port->frames);
    }
    port->back_frames = port->frames;
    port->heard = wanted;
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
    status->signal = port->running && port->end.arrives.signal;
    status->level_db = port->end.arrives.level_db;
    status->clocked_by_line = port->end.follows && port->end.usable;
    status->follows = port->end.follows;
    status->oscillator_ppm = (double)port->end.own_ppb / 1000;
    status->clock_ppm = (double)port->end.rate_ppb / 1000;
    status->loop = port->loop;
    status->slot_loops = port->slot_loops;
    status->loop_left = port->loop_left;
    status->slot_loops_left = port->slot_loops_left;
    status->slips_left_out = port->store.left_out;
    status->slips_repeated = port->store.repeated;
    status->line = port->framer.counts;
    status->lost = port->lost;
    status->slips = slips(port) + port->lost;
    status->reported = port->framer.config.framing == FRAMING_ESF;
    status->reports = *framer_reports(&port->framer);
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
