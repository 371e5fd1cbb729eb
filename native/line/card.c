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

static struct port *port_of(struct card *card, int port) {
    return port >= 1 && port <= card->port_count ? card->ports[port - 1] : NULL;
}

static bool add_ports(struct card *card, const uint8_t *types, int ports) {
    for (; card->port_count < ports; card->port_count++) {
        struct port *port = malloc(sizeof *port);
        if (!port)
            return false;
        port_init(port, types[card->port_count] == LINE_T1 ? LINE_T1 : LINE_E1);
        card->ports[card->port_count] = port;
    }
    return true;
}

struct card *card_new(const uint8_t *types, int ports, int tick_ms) {
    if (ports < 1 || ports > CARD_PORTS_MAX || tick_ms < 1 || tick_ms > TICK_FRAMES_MAX / FRAMES_PER_MS) {
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
        free(card->ports[i]);
    }
    if (card->epoll >= 0)
        close(card->epoll);
    if (card->news >= 0)
        close(card->news);
    pthread_mutex_destroy(&card->lock);
    free(card);
}

static int join(struct port *a, struct port *b) {
    if (!a || !b)
        return -ENODEV;
    if (a == b)
        return -EINVAL;
    if (a->framer.type != b->framer.type)
        return -EMEDIUMTYPE;
    if (a->peer || b->peer)
        return -EBUSY;
    a->peer = b;
    b->peer = a;
    return 0;
}

int card_cable(struct card *card, int a, int b) {
    pthread_mutex_lock(&card->lock);
    int result = join(port_of(card, a), port_of(card, b));
    pthread_mutex_unlock(&card->lock);
    return result;
}

static int part(struct port *port) {
    if (!port)
        return -ENODEV;
    if (!port->peer)
        return -ENOTCONN;
    port->peer->peer = NULL;
    port->peer = NULL;
    return 0;
}

int card_uncable(struct card *card, int port) {
    pthread_mutex_lock(&card->lock);
    int result = part(port_of(card, port));
    pthread_mutex_unlock(&card->lock);
    return result;
}

int card_cabled_to(struct card *card, int port) {
    int found = port_of(card, port) ? 0 : -ENODEV;
    pthread_mutex_lock(&card->lock);
    for (int i = 0; found == 0 && i < card->port_count; i++)
        if (card->ports[i]->peer == card->ports[port - 1])
            found = i + 1;
    pthread_mutex_unlock(&card->lock);
    return found;
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
    int result = configure(port_of(card, port), kinds, idle_octet, force);
    pthread_mutex_unlock(&card->lock);
    return result;
}

int card_run_port(struct card *card, int port, bool running) {
    struct port *found = port_of(card, port);
    if (!found)
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    found->running = running;
    pthread_mutex_unlock(&card->lock);
    return 0;
}

static int open_kind(struct card *card, int port, int timeslot, enum timeslot_kind kind, struct timeslot_media *media) {
    struct port *found = port_of(card, port);
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
    struct port *found = port_of(card, port);
    if (!found)
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    *held = port_held(found);
    pthread_mutex_unlock(&card->lock);
    return 0;
}

int card_prove_free(struct card *card, int port, int timeslot) {
    struct port *found = port_of(card, port);
    if (!found || !port_has(found, timeslot))
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    int result = timeslot_held(&found->slots[timeslot]) ? -EBUSY : 0;
    pthread_mutex_unlock(&card->lock);
    return result;
}

int card_status(struct card *card, int port, struct port_status *status) {
    struct port *found = port_of(card, port);
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

void card_tick(struct card *card) {
    size_t frames = (size_t)card->tick_ms * FRAMES_PER_MS;
    bool changed = false;
    pthread_mutex_lock(&card->lock);
    look_at_descriptors(card);
    for (int i = 0; i < card->port_count; i++)
        port_transmit(card->ports[i], frames);
    for (int i = 0; i < card->port_count; i++)
        changed |= port_receive(card->ports[i], frames);
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
            card->ports[i]->slips += frames;
    pthread_mutex_unlock(&card->lock);
}
