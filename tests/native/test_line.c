// SPDX-License-Identifier: GPL-2.0-or-later
/* The simulated line fed with rubbish, for the sanitizers: `test_line engines|framers|card|clock`. Exits 0 when nothing
 * broke.
 */
#define _GNU_SOURCE
#include "../../native/line/card.h"
#include "../../native/line/line_code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PORTS   6
#define CLIENTS 64

#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                                                 \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static unsigned seed = 1;

static unsigned below(unsigned limit) {
    return (unsigned)rand_r(&seed) % limit;
}

static void rubbish(uint8_t *octets, size_t n) {
    static const uint8_t telling[] = {0x7E, 0xFF, 0x3F, 0xFC, 0x1F, 0x00};
    for (size_t i = 0; i < n; i++)
        octets[i] = below(3) ? (uint8_t)below(256) : telling[below(sizeof telling)];
}

/* Buffers of the very size, so that one octet too far is seen. */
static uint8_t *exact(size_t n) {
    uint8_t *octets = malloc(n ? n : 1);
    CHECK(octets);
    return octets;
}

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

static struct card *new_card(void) {
    static const uint8_t types[PORTS] = {LINE_E1, LINE_E1, LINE_T1, LINE_T1, LINE_E1, LINE_T1};
    struct card *card = card_new(types, PORTS, 1 + (int)below(8));
    CHECK(card);
    return card;
}

static void configure(struct card *card) {
    uint8_t kinds[TIMESLOTS];
    for (size_t i = 0; i < TIMESLOTS; i++)
        kinds[i] = (uint8_t)below(3);
    card_configure(card, (int)below(PORTS + 2), kinds, (uint8_t)below(256), below(2));
}

static void open_one(struct card *card, int *client) {
    int port = (int)below(PORTS + 2), timeslot = (int)below(34), depth = (int)below(34), fd;
    if (below(2))
        fd = card_open_timeslot(card, port, timeslot, below(2), 0xD5, (int)below(below(4) ? 400 : 9000), &depth);
    else
        fd = card_open_dchannel(card, port, timeslot);
    if (fd < 0)
        return;
    if (*client >= 0)
        close(*client);
    *client = fd;
}

static void use(int *client) {
    static uint8_t block[20000];
    size_t n = below(below(8) ? 400 : sizeof block);
    rubbish(block, n < 600 ? n : 600);
    for (unsigned times = below(12); times && write(*client, block, n) >= 0; times--)
        ;
    while (below(2) && read(*client, block, sizeof block) > 0)
        ;
    if (below(5) == 0) {
        close(*client);
        *client = -1;
    }
}

static void plug(struct card *card) {
    int a = 1 + (int)below(PORTS), b = 1 + (int)below(PORTS);
    switch (below(4)) {
    case 0:
        card_uncable(card, a);
        break;
    case 1:
        card_run_port(card, a, below(4));
        break;
    default:
        card_cable(card, a, b);
    }
}

static void spoil(struct card *card) {
    static const double values[] = {0, 1, 1e-3, 0.02, 5, 300.5, 4096, 1e9, -1};
    int port = 1 + (int)below(PORTS + 1);
    double value = values[below(sizeof values / sizeof values[0])];
    switch (below(10)) {
    case 0:
        card_mend(card, port, below(2));
        break;
    case 1:
        card_clock(card, port, value);
        card_follow(card, port, below(2));
        break;
    case 2:
        card_loop(card, port, (enum loop)below(5));
        break;
    case 3:
        card_slot_loops(card, port, (uint32_t)rand_r(&seed));
        break;
    case 4:
        card_far_end(card, port, (enum far_end_kind)below(4));
        break;
    case 5:
        card_send_code(card, port, (enum inband_code)below(5), below(3000));
        card_send_codeword(card, port, 0x0EFF, below(40));
        break;
    case 6:
        card_frame(card, port, (enum framing)below(3), (enum line_coding)below(3), below(2), below(2));
        break;
    case 7:
        card_build_out(card, port, value);
        card_seed(card, port, below(99));
        break;
    default:
        card_fault(card, port, below(2), (enum fault)below(FAULTS + 1), value, below(9) ? below(400) : WAY_FOREVER);
    }
}

static void look(struct card *card) {
    struct way_status way;
    struct far_end_status far;
    card_faults(card, (int)below(PORTS + 2), below(2), &way);
    card_far_end_status(card, (int)below(PORTS + 2), &far);
    struct port_status status;
    uint32_t held;
    int port = (int)below(PORTS + 2);
    card_status(card, port, &status);
    card_held(card, port, &held);
    card_cabled_to(card, port);
}

static void cross(struct card *card) {
    int port = (int)below(PORTS + 2), timeslot = (int)below(34);
    if (below(4))
        card_join(card, port, timeslot, (int)below(PORTS + 2), (int)below(34));
    else
        card_part(card, port, timeslot);
}

/* Two timeslots that are open, if there are any. */
static void cross_open(struct card *card) {
    int ports[2], timeslots[2];
    for (int end = 0; end < 2; end++) {
        uint32_t held = 0;
        ports[end] = 1 + (int)below(PORTS);
        card_held(card, ports[end], &held);
        if (!held)
            return;
        for (unsigned skip = below(4); skip && held & (held - 1); skip--)
            held &= held - 1;
        timeslots[end] = __builtin_ctz(held);
    }
    card_join(card, ports[0], timeslots[0], ports[1], timeslots[1]);
}

static void anything(struct card *card, int *clients) {
    int *client = &clients[below(CLIENTS)];
    switch (below(15)) {
    case 5:
        spoil(card);
        break;
    case 0:
        configure(card);
        break;
    case 1:
        plug(card);
        break;
    case 2:
        look(card);
        break;
    case 3:
        cross(card);
        break;
    case 4:
        cross_open(card);
        break;
    default:
        if (*client < 0)
            open_one(card, client);
        else
            use(client);
    }
}

static void live(struct card *card, unsigned turns, bool advance) {
    int clients[CLIENTS];
    memset(clients, -1, sizeof clients);
    for (unsigned turn = 0; turn < turns; turn++) {
        anything(card, clients);
        if (advance)
            CHECK(card_advance(card, below(9000000)) == 0);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        if (clients[i] >= 0 && below(2))
            close(clients[i]); /* the others see the end of the card */
    card_free(card);
    for (size_t i = 0; i < CLIENTS; i++)
        close(clients[i]);
}

static void *look_on(void *card) {
    for (int i = 0; i < 20000; i++) {
        struct port_status status;
        uint32_t held;
        card_status(card, 1 + i % PORTS, &status);
        card_held(card, 1 + i % PORTS, &held);
    }
    return NULL;
}

static void with_clock(void) {
    struct card *card = new_card();
    pthread_t onlooker;
    CHECK(card_start_clock(card) == 0 && card_advance(card, 1) < 0);
    CHECK(pthread_create(&onlooker, NULL, look_on, card) == 0);
    struct timespec pause = {.tv_nsec = 100000};
    int clients[CLIENTS];
    memset(clients, -1, sizeof clients);
    for (int turn = 0; turn < 4000; turn++) {
        anything(card, clients);
        if (turn % 8 == 0)
            nanosleep(&pause, NULL);
    }
    pthread_join(onlooker, NULL);
    card_stop_clock(card);
    card_free(card);
    for (size_t i = 0; i < CLIENTS; i++)
        if (clients[i] >= 0)
            close(clients[i]);
}

int main(int argc, char **argv) {
    const char *part = argc > 1 ? argv[1] : "";
    if (!strcmp(part, "engines"))
        for (int i = 0; i < 100; i++) {
            receive_rubbish();
            send_and_receive();
        }
    else if (!strcmp(part, "framers"))
        for (int i = 0; i < 40; i++)
            frame_and_disturb();
    else if (!strcmp(part, "card"))
        for (int i = 0; i < 12; i++)
            live(new_card(), 1500, true);
    else if (!strcmp(part, "clock"))
        with_clock();
    else
        return 2;
    printf("%s done\n", part);
    return 0;
}
