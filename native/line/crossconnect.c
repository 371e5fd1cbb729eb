// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "crossconnect.h"

#include "card.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ROOM (TICK_FRAMES_MAX + 1)

void crossing_transmit(struct timeslot *ts, uint8_t *line, size_t n) {
    struct crossing *crossing = ts->crossing;
    size_t ready = crossing->length < n ? crossing->length : n, missing = n - ready;
    memset(line, ready ? crossing->last : ts->fill_octet, missing);
    memcpy(line + missing, crossing->octets, ready);
    crossing->length -= ready;
    memmove(crossing->octets, crossing->octets + ready, crossing->length);
    crossing->last = line[n - 1];
}

void crossing_receive(struct timeslot *ts, const uint8_t *line, size_t n) {
    struct crossing *crossing = ts->crossing->other->crossing;
    size_t kept = crossing->length ? 1 : 0; /* the newest of those that the other has not sent */
    crossing->octets[0] = crossing->length ? crossing->octets[crossing->length - 1] : 0;
    memcpy(crossing->octets + kept, line, n);
    crossing->length = kept + n;
}

static void leave(struct timeslot *ts) {
    free(ts->crossing);
    ts->crossing = NULL;
    ts->rx_length = ts->tx_length = ts->tx_at = 0;
    while (recv(ts->fd, ts->tx_block, TIMESLOT_CHUNK_MAX, MSG_TRUNC) > 0)
        ;
    ts->readable = true; /* the end of file, if that is what came */
}

void crossing_part(struct timeslot *ts) {
    leave(ts->crossing->other);
    leave(ts);
}

static struct timeslot *find(struct card *card, int port, int timeslot) {
    if (port < 1 || port > card->port_count || !port_has(card->ports[port - 1], timeslot))
        return NULL;
    return &card->ports[port - 1]->slots[timeslot];
}

static struct crossing *cross(const struct timeslot *ts, struct timeslot *other) {
    struct crossing *made = malloc(sizeof *made + ROOM);
    if (made)
        *made = (struct crossing){.other = other, .last = ts->fill_octet};
    return made;
}

static int join(struct timeslot *a, struct timeslot *b) {
    if (!a || !b)
        return -ENODEV;
    if (a == b)
        return -EINVAL;
    if (!timeslot_held(a) || !timeslot_held(b) || a->link || b->link)
        return -ENXIO;
    if (a->crossing || b->crossing)
        return -EBUSY;
    struct crossing *from_b = cross(a, b), *from_a = cross(b, a);
    if (!from_b || !from_a) {
        free(from_b);
        free(from_a);
        return -ENOMEM;
    }
    a->crossing = from_b;
    b->crossing = from_a;
    return 0;
}

int card_join(struct card *card, int a_port, int a_timeslot, int b_port, int b_timeslot) {
    pthread_mutex_lock(&card->lock);
    int result = join(find(card, a_port, a_timeslot), find(card, b_port, b_timeslot));
    pthread_mutex_unlock(&card->lock);
    return result;
}

int card_part(struct card *card, int port, int timeslot) {
    pthread_mutex_lock(&card->lock);
    struct timeslot *ts = find(card, port, timeslot);
    int result = !ts ? -ENODEV : ts->crossing ? 0 : -ENOTCONN;
    if (result == 0)
        crossing_part(ts);
    pthread_mutex_unlock(&card->lock);
    return result;
}
