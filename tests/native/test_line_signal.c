// SPDX-License-Identifier: GPL-2.0-or-later
/* Rubbish for what makes a line's signal and reads it: the HDLC engines and the framers. */
#include "../../native/line/framer.h"
#include "../../native/line/hdlc.h"
#include "../../native/line/line_code.h"
#include "test_line.h"

#include <string.h>

static void receive_rubbish(void) {
    struct hdlc_rx *rx = malloc(sizeof *rx);
    CHECK(rx);
    hdlc_rx_init(rx, 4 + below(HDLC_LIMIT));
    for (int piece = 0; piece < 200; piece++) {
        size_t n = below(600), at = 0, length;
        uint8_t *line = exact(n);
        rubbish(line, n);
        if (below(4) == 0)
            memset(line, line[0], n); /* also a frame without end */
        while (at < n) {
            size_t taken = hdlc_rx_feed(rx, line + at, n - at, &length);
            CHECK(taken > 0 && taken <= n - at && length <= rx->limit);
            at += taken;
        }
        free(line);
    }
    free(rx);
}

/* Frames through both engines, the line shifted by some bits on its way. */
static void send_and_receive(void) {
    struct hdlc_tx *tx = malloc(sizeof *tx);
    struct hdlc_rx *rx = malloc(sizeof *rx);
    CHECK(tx && rx);
    hdlc_tx_init(tx, below(3));
    hdlc_rx_init(rx, HDLC_LIMIT);
    unsigned shift = below(8), carried = 0, aborted = 0;
    uint64_t good = 0;
    for (int turn = 0; turn < 400; turn++) {
        size_t n = 2 + below(turn % 50 ? 80 : HDLC_LIMIT - 3), size = 1 + below(300), at = 0, length;
        uint8_t *frame = exact(n), *line = exact(size);
        rubbish(frame, n);
        hdlc_tx_load(tx, frame, n);
        size_t sent = hdlc_tx_send(tx, line, size);
        if (sent < size)
            hdlc_tx_idle(tx, line + sent, size - sent);
        else if (below(20) == 0) {
            aborted += tx->at < tx->end;
            hdlc_tx_abort(tx);
        }
        for (size_t i = 0; i < size; i++) {
            unsigned both = carried << 8 | line[i];
            line[i] = (uint8_t)(both >> shift);
            carried = both & 0xFF;
        }
        while (at < size) {
            at += hdlc_rx_feed(rx, line + at, size - at, &length);
            good += length > 0;
        }
        free(frame);
        free(line);
    }
    CHECK(good == rx->counts.frames && good + aborted + 2 >= tx->frames && good <= tx->frames);
    CHECK(rx->counts.fcs_errors == 0 && rx->counts.aborts <= aborted);
    free(tx);
    free(rx);
}

static struct framing_config any_framing(void) {
    enum line_type type = below(2) ? LINE_E1 : LINE_T1;
    enum framing framing = type == LINE_E1 ? FRAMING_E1 : below(2) ? FRAMING_ESF : FRAMING_D4;
    return (struct framing_config){type, framing, (enum line_coding)below(3), below(2), below(4) == 0};
}

static void disturb(struct framer *framer, line_signal line, size_t n) {
    switch (below(8)) {
    case 0:
        rubbish(line[0], n * FRAME_SPAN);
        break;
    case 1:
        memset(line, below(2) ? 0xFF : 0, n * FRAME_SPAN);
        break;
    case 2:
        framer->force = below(8);
        break;
    case 3:
        framer_send_bom(framer, (uint16_t)(below(64) << 9 | 0xFF), below(30));
        break;
    case 4:
        framer_spoil(framer, below(20), below(20));
        break;
    default:
        for (unsigned errors = below(20); errors--;)
            line[below((unsigned)n)][below(FRAME_SPAN)] ^= (uint8_t)(1 << below(8));
    }
}

/* A sender, a line of any length and its faults, a receiver; then a clean line, on which the receiver must find all. */
static void frame_and_disturb(void) {
    struct framer *a = malloc(sizeof *a), *b = malloc(sizeof *b);
    slot_octets *in = malloc(sizeof *in), *out = malloc(sizeof *out);
    line_signal *line = malloc(sizeof *line);
    CHECK(a && b && in && out && line);
    memset(in, 0, sizeof *in);
    memset(line, 0, sizeof *line);
    struct framing_config config = any_framing();
    struct line_delay delay = {0};
    struct line_code code = {0};
    framer_init(a, &config);
    framer_init(b, &config);
    for (unsigned turn = 0, turns = 400; turn < turns; turn++) {
        bool clean = turn >= turns / 2;
        size_t n = 1 + below(TICK_FRAMES_MAX);
        struct line_input input = {clean || below(10), below(5)};
        rubbish((*in)[0], sizeof *in);
        if (!clean && below(20) == 0)
            CHECK(line_delay_set(&delay, config.type, below(3000)));
        if (!clean && below(50) == 0) {
            bool crc4 = config.crc4;
            config.crc4 = below(2);
            framer_configure(below(2) ? a : b, &config);
            config.crc4 = crc4;
        }
        if (turn == turns / 2) {
            a->force = 0;
            a->tx.spoil_fas = a->tx.spoil_crc = 0;
            framer_configure(a, &config);
            framer_configure(b, &config);
        }
        framer_send(a, *in, (uint32_t)below(1u << 31), *line, n);
        line_delay_run(&delay, config.type, *line, n);
        if (!clean) {
            disturb(a, *line, n);
            if (below(16) == 0)
                line_code_pass(&code, config.coding, (enum line_coding)below(3), config.type, *line, n);
        }
        framer_receive(b, *line, &input, *out, (uint32_t)below(1u << 31), n);
        CHECK((b->alarms & ALARM_LOS) == 0 || (*out)[1][0] == 0xFF);
    }
    CHECK((b->alarms & ~(uint32_t)ALARM_YELLOW) == 0);
    CHECK(line_delay_set(&delay, config.type, 0));
    free(a);
    free(b);
    free(in);
    free(out);
    free(line);
}

void test_engines(void) {
    for (int i = 0; i < 100; i++) {
        receive_rubbish();
        send_and_receive();
    }
}

void test_framers(void) {
    for (int i = 0; i < 40; i++)
        frame_and_disturb();
}
