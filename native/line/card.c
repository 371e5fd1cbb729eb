// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "card.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NS_PER_MS 1000000u

struct port *card_port(struct card *card, int port) {
    return port >= 1 && port <= card->port_count ? card->ports[port - 1] : NULL;
}

static bool add_ports(struct card *card, const uint8_t *types, int ports) {
    for (; card->port_count < ports; card->port_count++) {
        struct port *port = malloc(sizeof *port);
        if (!port)
            return false;
        port_init(port, types[card->port_count] == LINE_T1 ? LINE_T1 : LINE_E1, (uint64_t)card->port_count + 1);
        card->ports[card->port_count] = port;
    }
    return true;
}

struct card *card_new(const uint8_t *types, int ports, int tick_ms) {
    if (ports < 1 || ports > CARD_PORTS_MAX || tick_ms < 1 || tick_ms > TICK_MS_MAX) {
        errno = EINVAL;
        return NULL;
    }
    struct card *card = calloc(1, sizeof *card);
    if (!card)
        return NULL;
    pthread_mutex_init(&card->lock, NULL);
    card->tick_ms = tick_ms;
    card->epoll = epoll_create1(EPOLL_CLOEXEC);
    card->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (card->epoll < 0 || card->news < 0 || !add_ports(card, types, ports)) {
        int error = errno;
        card_free(card);
        errno = error;
        return NULL;
    }
    return card;
}

void card_free(struct card *card) {
    card_stop_clock(card);
    for (int i = 0; i < card->port_count; i++) {
        for (int slot = 0; slot < TIMESLOTS; slot++)
            timeslot_close(&card->ports[i]->slots[slot]);
        way_mend(&card->ports[i]->end.way);
        if (card->far_ends[i])
            way_mend(&card->far_ends[i]->port.end.way);
        free(card->far_ends[i]);
        free(card->ports[i]);
    }
    if (card->epoll >= 0)
        close(card->epoll);
    if (card->news >= 0)
        close(card->news);
    pthread_mutex_destroy(&card->lock);
    free(card);
}

static int configure(struct port *port, const uint8_t *kinds, uint8_t idle_octet, bool force) {
    if (!port)
        return -ENODEV;
    for (int i = 1; port_has(port, i); i++) {
        if (kinds[i] > TIMESLOT_DCHANNEL)
            return -EINVAL;
        if (kinds[i] != (uint8_t)port->slots[i].kind && !force && timeslot_held(&port->slots[i]))
            return -EBUSY;
    }
    for (int i = 1; port_has(port, i); i++) {
        struct timeslot *ts = &port->slots[i];
        if (kinds[i] != (uint8_t)ts->kind)
            timeslot_close(ts);
        ts->kind = (enum timeslot_kind)kinds[i];
        ts->idle_octet = idle_octet;
    }
    port_refresh(port);
    return 0;
}

int card_configure(struct card *card, int port, const uint8_t *kinds, uint8_t idle_octet, bool force) {
    pthread_mutex_lock(&card->lock);
    int result = configure(card_port(card, port), kinds, idle_octet, force);
    pthread_mutex_unlock(&card->lock);
    return result;
}

static bool possible(const struct framing_config *config) {
    return config->type == LINE_E1 ? config->framing == FRAMING_E1 && config->coding != CODING_B8ZS
                                   : config->framing != FRAMING_E1 && config->coding != CODING_HDB3;
}

static bool differ(const struct framing_config *a, const struct framing_config *b) {
    return a->framing != b->framing || a->coding != b->coding || a->crc4 != b->crc4 || a->cas != b->cas;
}

int card_frame(struct card *card, int port, enum framing framing, enum line_coding coding, bool crc4, bool cas) {
    struct port *found = card_port(card, port);
    if (!found)
        return -ENODEV;
    struct framing_config wanted = {found->framer.config.type, framing, coding, crc4, cas};
    if (!possible(&wanted))
        return -EINVAL;
    pthread_mutex_lock(&card->lock);
    if (differ(&found->framer.config, &wanted)) {
        framer_configure(&found->framer, &wanted);
        if (card->far_ends[port - 1])
            framer_configure(&card->far_ends[port - 1]->port.framer, &wanted);
    }
    pthread_mutex_unlock(&card->lock);
    return 0;
}

int card_run_port(struct card *card, int port, bool running) {
    struct port *found = card_port(card, port);
    if (!found)
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    found->running = running;
    pthread_mutex_unlock(&card->lock);
    return 0;
}

static int open_kind(struct card *card, int port, int timeslot, enum timeslot_kind kind, struct timeslot_media *media) {
    struct port *found = card_port(card, port);
    if (!found || !port_has(found, timeslot))
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    struct timeslot *ts = &found->slots[timeslot];
    int result = ts->kind == kind ? timeslot_open(ts, card->epoll, media) : -ENXIO;
    pthread_mutex_unlock(&card->lock);
    return result;
}

int card_open_timeslot(struct card *card, int port, int timeslot, bool hdlc, uint8_t fill_octet, int chunk,
                       int *depth) {
    if (chunk < 1 || *depth < 1)
        return -EINVAL;
    struct timeslot_media media = {hdlc, fill_octet, (size_t)chunk, (size_t)*depth};
    int result = open_kind(card, port, timeslot, TIMESLOT_CLEAR, &media);
    *depth = (int)media.depth;
    return result;
}

int card_open_dchannel(struct card *card, int port, int timeslot) {
    struct timeslot_media media = {true, 0xFF, DCHANNEL_LIMIT, DCHANNEL_DEPTH};
    return open_kind(card, port, timeslot, TIMESLOT_DCHANNEL, &media);
}

int card_held(struct card *card, int port, uint32_t *held) {
    struct port *found = card_port(card, port);
    if (!found)
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    *held = port_held(found);
    pthread_mutex_unlock(&card->lock);
    return 0;
}

int card_prove_free(struct card *card, int port, int timeslot) {
    struct port *found = card_port(card, port);
    if (!found || !port_has(found, timeslot))
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    int result = timeslot_held(&found->slots[timeslot]) ? -EBUSY : 0;
    pthread_mutex_unlock(&card->lock);
    return result;
}

int card_missed(struct card *card, int port, int timeslot, uint64_t *overruns, uint64_t *underruns) {
    struct port *found = card_port(card, port);
    if (!found || !port_has(found, timeslot))
        return -ENODEV;
    const struct timeslot *slot = &found->slots[timeslot];
    pthread_mutex_lock(&card->lock);
    *overruns = slot->counts.overruns - slot->before.overruns;
    *underruns = slot->counts.underruns - slot->before.underruns;
    pthread_mutex_unlock(&card->lock);
    return 0;
}

int card_status(struct card *card, int port, struct port_status *status) {
    struct port *found = card_port(card, port);
    if (!found)
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    port_read_status(found, status);
    pthread_mutex_unlock(&card->lock);
    return 0;
}

int card_news_fd(struct card *card) {
    return card->news;
}

/* What clients wrote and which of them closed, since the last tick. */
static void look_at_descriptors(struct card *card) {
    struct epoll_event events[64];
    int count;
    do {
        count = epoll_wait(card->epoll, events, 64, 0);
        for (int i = 0; i < count; i++) {
            struct timeslot *ts = events[i].data.ptr;
            ts->readable = true;
            if (events[i].events & EPOLLHUP)
                timeslot_close(ts);
        }
    } while (count == 64);
}

/* The i-th of all ends: ports, then far ends; NULL where there is none. */
static struct port *end_of(struct card *card, int i) {
    if (i < card->port_count)
        return card->ports[i];
    struct far_end *far = card->far_ends[i - card->port_count];
    return far ? &far->port : NULL;
}

/* What every end sends has left before any receives, and one in line loop passes it on before the others fetch. */
static bool move_frames(struct card *card, size_t frames) {
    int ends = 2 * card->port_count;
    struct port *end;
    bool changed = false;
    for (int i = 0; i < ends; i++)
        if ((end = end_of(card, i)))
            cable_set_clock(&end->end);
    for (int i = 0; i < ends; i++)
        if ((end = end_of(card, i)))
            port_transmit(end, frames);
    for (int looped = 1; looped >= 0; looped--)
        for (int i = 0; i < ends; i++)
            if ((end = end_of(card, i)) && end->end.returns_line == looped)
                port_fetch(end);
    for (int i = 0; i < card->port_count; i++) {
        changed |= port_receive(card->ports[i], frames);
        if (card->far_ends[i])
            far_end_receive(card->far_ends[i], frames);
    }
    return changed;
}

void card_tick(struct card *card) {
    pthread_mutex_lock(&card->lock);
    look_at_descriptors(card);
    bool changed = move_frames(card, (size_t)card->tick_ms * FRAMES_PER_MS);
    pthread_mutex_unlock(&card->lock);
    if (changed)
        eventfd_write(card->news, 1);
}

int card_advance(struct card *card, uint64_t ns) {
    if (atomic_load(&card->ticking))
        return -EBUSY;
    uint64_t tick = (uint64_t)card->tick_ms * NS_PER_MS;
    for (card->owed_ns += ns; card->owed_ns >= tick; card->owed_ns -= tick)
        card_tick(card);
    return 0;
}

void card_slip(struct card *card, uint64_t frames) {
    pthread_mutex_lock(&card->lock);
    for (int i = 0; i < card->port_count; i++)
        if (card->ports[i]->running)
            card->ports[i]->lost += frames;
    pthread_mutex_unlock(&card->lock);
}
