// SPDX-License-Identifier: GPL-2.0-or-later
#include "framer.h"

#include <string.h>

#define SPARE_IDLE 0x1F /* Source: G.704 2.3.2, table 5A note 4 (unused spare bits are ones) */
#define IDLE       0xFF

/* Source: T1.403 (yellow alarm: at least 1 s), (average reframe time: at most 50 ms, which no alarm precedes) */
#define T1_RAI_FRAMES     8000
#define T1_REFRAME_FRAMES 400

static void begin_search(struct framer *framer) {
    struct framer_rx *rx = &framer->rx;
    struct frame_bits before = rx->before;
    rx->aligned = false;
    if (framer->config.type == LINE_E1) {
        memset(&rx->e1_search, 0, sizeof rx->e1_search);
        rx->e1_search.before = before;
    } else {
        rx->t1_search.before = before;
        t1_search_begin(&rx->t1_search);
    }
}

void framer_init(struct framer *framer, const struct framing_config *config) {
    memset(framer, 0, sizeof *framer);
    framer->tx.e1.spare = SPARE_IDLE;
    framer->rx.end = frame_length(config->type);
    framer->alarms = ALARM_RED | ALARM_LFA;
    framer_configure(framer, config);
}

void framer_configure(struct framer *framer, const struct framing_config *config) {
    framer->config = *config;
    memset(framer->tx.rows, 0, sizeof framer->tx.rows);
    ais_begin(&framer->rx.ais);
    framer->tx.t1.frame = framer->tx.e1.frame = 0;
    memset(&framer->tx.e1.sum, 0, sizeof framer->tx.e1.sum);
    memset(&framer->tx.t1.sum, 0, sizeof framer->tx.t1.sum);
    begin_search(framer);
}

static bool has_fault(const struct framer *framer) {
    return framer->rx.los.on || !framer->rx.aligned;
}

/* Source: G.704 table 5A (A bit while the fault lasts); T1.403 (yellow alarm) */
static bool rai(struct framer *framer) {
    struct framer_tx *tx = &framer->tx;
    bool wanted = framer->force & FORCE_RAI || has_fault(framer);
    if (framer->config.type == LINE_E1)
        return wanted;
    if (framer->force & FORCE_RAI || framer->rx.fault_frames >= T1_REFRAME_FRAMES) {
        if (!tx->rai)
            tx->rai_until = tx->frames + T1_RAI_FRAMES;
        tx->rai = true;
    } else if (tx->frames >= tx->rai_until) {
        tx->rai = false;
    }
    return tx->rai;
}

static void mux_changed(struct framer *framer, slot_octets slots, uint32_t changed, line_signal line, size_t n) {
    for (unsigned group = 0; group < MUX_GROUPS; group++) {
        size_t *rows = &framer->tx.rows[group];
        if (!mux_touches(framer->config.type, group, changed) && n <= *rows)
            continue;
        mux(framer->config.type, group, slots, line, n);
        *rows = n;
    }
}

static struct report_counts reported(const struct framer *framer) {
    const struct framer_counts *seen = &framer->counts;
    return (struct report_counts){.crc = seen->crc,
                                  .fas = seen->fas,
                                  .severe = seen->severe,
                                  .violations = seen->violations,
                                  .slips = framer->slips};
}

void framer_stand_still(struct framer *framer, size_t n) {
    struct report_counts counts = reported(framer);
    report_begin(&framer->tx.report, &counts);
    framer->rx.t1.fdl.report.frames += (int64_t)n;
}

/* The far end is told of each second that has gone by. */
static void report(struct framer *framer, size_t n) {
    struct report_tx *tx = &framer->tx.report;
    struct report_counts counts = reported(framer);
    uint8_t message[REPORT_OCTETS];
    tx->faulty |= has_fault(framer);
    tx->looped |= framer->payload_looped;
    if (report_elapse(tx, &counts, n, message)) {
        memcpy(framer->rx.t1.fdl.report.own, message, sizeof message);
        fdl_send_frame(&framer->tx.t1.fdl, message, sizeof message);
    }
}

void framer_send(struct framer *framer, slot_octets slots, uint32_t changed, line_signal line, size_t n) {
    struct framer_tx *tx = &framer->tx;
    bool alarm = rai(framer);
    mux_changed(framer, slots, changed, line, n);
    if (framer->config.type == LINE_E1) {
        const struct framer_rx *rx = &framer->rx;
        struct e1_orders orders = {.rai = alarm,
                                   .checked = rx->aligned && rx->e1.multiframe == MULTIFRAME_FOUND,
                                   .cas_lost = !rx->aligned || e1_cas_lost(&rx->e1, &framer->config),
                                   .spoil_fas = &tx->spoil_fas,
                                   .spoil_crc = &tx->spoil_crc};
        e1_send(&tx->e1, &framer->config, &orders, line, n);
    } else {
        if (framer->config.framing == FRAMING_ESF)
            report(framer, n);
        else
            framer_stand_still(framer, 0);
        struct t1_orders orders = {.rai = alarm, .spoil_fas = &tx->spoil_fas, .spoil_crc = &tx->spoil_crc};
        t1_send(&tx->t1, framer->config.framing, &orders, line, n);
    }
    tx->frames += n;
    bool spoilt_slots = framer->config.cas || (alarm && framer->config.framing == FRAMING_D4);
    if (framer->force & (FORCE_AIS | FORCE_NO_SIGNAL)) {
        memset(line, framer->force & FORCE_NO_SIGNAL ? 0 : 0xFF, n * FRAME_SPAN);
        spoilt_slots = true;
    }
    if (spoilt_slots)
        memset(tx->rows, 0, sizeof tx->rows);
}

static void find(struct framer *framer, unsigned end, unsigned frame) {
    struct framer_rx *rx = &framer->rx;
    framer->counts.reframes++;
    framer->counts.cofa += rx->last_end && rx->last_end != end;
    rx->aligned = true;
    rx->end = rx->last_end = end;
    if (framer->config.type == LINE_E1)
        e1_found(&rx->e1);
    else
        t1_found(&rx->t1, framer->config.framing, frame);
}

/* Looks for frames; returns how many rows it looked at, the last one included. They are no frames: all ones. */
static size_t search(struct framer *framer, const uint8_t (*rows)[FRAME_SPAN], uint8_t (*frames)[FRAME_SPAN],
                     size_t n) {
    struct framer_rx *rx = &framer->rx;
    enum line_type type = framer->config.type;
    for (size_t i = 0; i < n; i++) {
        unsigned end, frame = 0;
        rx->before = frame_load(type, rows[i]);
        memset(frames[i], IDLE, FRAME_SPAN);
        if (type == LINE_E1 ? e1_search(&rx->e1_search, &rx->before, rx->end, 0, &end)
                            : t1_search(&rx->t1_search, framer->config.framing, &rx->before, &end, &frame)) {
            find(framer, end, frame);
            return i + 1;
        }
    }
    return n;
}

/* Reads frames until they are lost; returns how many it looked at, the last one included. */
static size_t check(struct framer *framer, const uint8_t (*rows)[FRAME_SPAN], uint8_t (*frames)[FRAME_SPAN], size_t n) {
    struct framer_rx *rx = &framer->rx;
    enum line_type type = framer->config.type;
    bool straight = rx->end == frame_length(type), lost;
    if (!straight)
        frames_align(type, rx->before, rx->end, rows, frames, n);
    const uint8_t(*read)[FRAME_SPAN] = straight ? rows : (const uint8_t(*)[FRAME_SPAN])frames;
    if (type == LINE_E1)
        n = e1_receive(&rx->e1, &framer->config, &framer->counts, framer->tx.e1.owed, read, n, &lost);
    else
        n = t1_receive(&rx->t1, framer->config.framing, &framer->counts, read, n, &lost);
    rx->before = frame_load(type, rows[n - 1]);
    if (lost)
        begin_search(framer);
    return n;
}

/* Frame alignment without a multiframe, or with no right CRC, may be false: another place is looked for beside it.
 * Errors alone, be they ever so many, lose no frame. */
static bool contends(const struct framer *framer) {
    const struct framer_rx *rx = &framer->rx;
    if (!rx->aligned)
        return false;
    if (framer->config.type == LINE_T1)
        return rx->t1.doubted;
    return rx->e1.multiframe == MULTIFRAME_SEARCHING && e1_multiframe_lost(&rx->e1, &framer->config);
}

static void contend_t1(struct framer *framer) {
    struct framer_rx *rx = &framer->rx;
    unsigned end, frame;
    if (!rx->t1_contends) {
        rx->t1_search.before = rx->before;
        t1_search_begin(&rx->t1_search);
        rx->t1_contends = true;
    } else if (t1_search(&rx->t1_search, framer->config.framing, &rx->before, &end, &frame)) {
        rx->t1_contends = rx->t1.doubted = false;
        rx->t1.crc_wrong = 0;
        if (end != rx->end)
            find(framer, end, frame);
    }
}

static void contend(struct framer *framer) {
    struct framer_rx *rx = &framer->rx;
    if (framer->config.type == LINE_T1) {
        contend_t1(framer);
    } else if (e1_contend(&rx->e1, &rx->end, &rx->before)) {
        framer->counts.reframes++;
        framer->counts.cofa++;
        rx->last_end = rx->end;
    }
}

/* Whether frames are lost or their loss has begun, so that an AIS is to be looked for. */
static bool suspect(const struct framer *framer) {
    const struct framer_rx *rx = &framer->rx;
    return !rx->aligned || (framer->config.type == LINE_E1 ? rx->e1.fas_wrong > 0 : rx->t1.wrong > 0);
}

static void look_for_ais(struct framer *framer, const uint8_t (*rows)[FRAME_SPAN], size_t n) {
    if (suspect(framer))
        ais_look(&framer->rx.ais, framer->config.type, rows, n);
    else
        ais_begin(&framer->rx.ais);
}

/* The frames in the rows: the rows themselves when they are, else written to `frames`. */
static const uint8_t (*receive(struct framer *framer, const line_signal rows, line_signal frames,
                               size_t n))[FRAME_SPAN] {
    struct framer_rx *rx = &framer->rx;
    size_t run;
    for (size_t at = 0; at < n; at += run) {
        bool straight = rx->aligned && rx->end == frame_length(framer->config.type), contending = contends(framer);
        size_t most = contending ? 1 : n - at;
        run = rx->aligned ? check(framer, rows + at, frames + at, most) : search(framer, rows + at, frames + at, most);
        look_for_ais(framer, rows + at, run);
        if (straight && run == n)
            return rows;
        if (straight)
            memcpy(frames + at, rows + at, run * FRAME_SPAN);
        if (contending && contends(framer))
            contend(framer);
        else if (!contending)
            rx->t1_contends = false;
    }
    return (const uint8_t(*)[FRAME_SPAN])frames;
}

/* LOS hides a loss of frame, AIS too; while an AIS may be beginning, what was said stays said. */
static uint32_t alarms(const struct framer *framer) {
    const struct framer_rx *rx = &framer->rx;
    bool e1 = framer->config.type == LINE_E1;
    if (rx->los.on)
        return ALARM_LOS | ALARM_RED;
    if (!rx->aligned && rx->ais.on)
        return ALARM_BLUE;
    if (!rx->aligned)
        return ais_possible(&rx->ais, framer->config.type) ? framer->alarms & ~(uint32_t)ALARM_LOS
                                                           : ALARM_RED | ALARM_LFA;
    /* One alarm gives way to the other without a moment of none: what a line says is known some frames after them. */
    if (e1 && framer->alarms & ALARM_RED && !e1_rai_known(&rx->e1))
        return ALARM_RED | ALARM_LFA;
    bool lmfa = e1 && (e1_multiframe_lost(&rx->e1, &framer->config) || e1_cas_lost(&rx->e1, &framer->config));
    return (lmfa ? ALARM_LMFA : 0u) | ((e1 ? rx->e1.rai : rx->t1.rai) ? ALARM_YELLOW : 0u);
}

void framer_receive(struct framer *framer, const line_signal line, const struct line_input *input, slot_octets slots,
                    uint32_t wanted, size_t n) {
    static const line_signal no_pulses;
    struct framer_rx *rx = &framer->rx;
    enum line_type type = framer->config.type;
    const uint8_t(*rows)[FRAME_SPAN] = input->signal ? line : no_pulses;
    framer->counts.violations += input->violations;
    los_look(&rx->los, &framer->config, rows, input->signal, n);
    if (input->signal || rx->aligned) {
        line_signal frames;
        rows = receive(framer, rows, frames, n);
        for (unsigned group = 0; group < MUX_GROUPS && !rx->los.on; group++)
            if (mux_touches(type, group, wanted))
                demux(type, group, rows, slots, n);
    } else {
        memset(&rx->before, 0, sizeof rx->before);
        ais_begin(&rx->ais);
        begin_search(framer);
    }
    if (rx->los.on)
        memset(slots, IDLE, sizeof(slot_octets));
    rx->t1.fdl.report.frames += (int64_t)n;
    rx->fault_frames = has_fault(framer) ? rx->fault_frames + n : 0;
    framer->alarms = alarms(framer);
}

bool framer_send_bom(struct framer *framer, uint16_t code, unsigned repeats) {
    if (framer->config.framing != FRAMING_ESF || (code && !fdl_is_codeword(code)))
        return false;
    fdl_send_bom(&framer->tx.t1.fdl, code, repeats);
    return true;
}

uint16_t framer_bom(const struct framer *framer) {
    return framer->rx.aligned ? framer->rx.t1.fdl.now : 0;
}

uint64_t framer_boms(const struct framer *framer, uint16_t *code) {
    *code = framer->rx.t1.fdl.last;
    return framer->rx.t1.fdl.received;
}

void framer_number_reports(struct framer *framer, unsigned number) {
    framer->tx.report.number = number;
}

const struct report_rx *framer_reports(const struct framer *framer) {
    return &framer->rx.t1.fdl.report;
}

void framer_send_spare(struct framer *framer, uint8_t spare) {
    framer->tx.e1.spare = spare & SPARE_IDLE;
}

uint8_t framer_spare(const struct framer *framer) {
    return framer->rx.e1.spare;
}

void framer_spoil(struct framer *framer, uint64_t fas, uint64_t crc) {
    framer->tx.spoil_fas += fas;
    framer->tx.spoil_crc += crc;
}

bool framer_has_signal(const struct framer *framer) {
    return !(framer->force & FORCE_NO_SIGNAL);
}
