// SPDX-License-Identifier: GPL-2.0-or-later
/* Rubbish for a whole card: its clients, cables, faults and joints, in steps and by its own clock. */
#include "../../native/line/card.h"
#include "test_line.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define PORTS   6
#define CLIENTS 64

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
        card_loop(card, port, (enum loop)below(5), below(2) ? LOOP_STAYS : below(1000));
        break;
    case 3:
        card_slot_loops(card, port, (uint32_t)below(1u << 31), below(2) ? LOOP_STAYS : below(1000));
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

void test_clock(void) {
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

void test_card(void) {
    for (int i = 0; i < 12; i++)
        live(new_card(), 1500, true);
}
