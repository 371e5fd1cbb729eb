// SPDX-License-Identifier: GPL-2.0-or-later
/* The card's cables, clocks and loops: what is between its ports. */
#include "card.h"

#include <errno.h>
#include <stdlib.h>

#define PPM_MAX          500.0
#define BUILD_OUT_DB_MAX 30.0
#define PPB_PER_PPM      1000.0

static int join(struct port *a, struct port *b) {
    return a && b ? cable_join(&a->end, &b->end) : -ENODEV;
}

int card_cable(struct card *card, int a, int b) {
    pthread_mutex_lock(&card->lock);
    int result = join(card_port(card, a), card_port(card, b));
    pthread_mutex_unlock(&card->lock);
    return result;
}

int card_uncable(struct card *card, int port) {
    struct port *found = card_port(card, port);
    if (!found)
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    int result = card->far_ends[port - 1] ? -ENOTCONN : cable_part(&found->end);
    pthread_mutex_unlock(&card->lock);
    return result;
}

int card_cabled_to(struct card *card, int port) {
    int found = card_port(card, port) ? 0 : -ENODEV;
    pthread_mutex_lock(&card->lock);
    for (int i = 0; found == 0 && i < card->port_count; i++)
        if (&card->ports[i]->end == card->ports[port - 1]->end.peer)
            found = i + 1;
    pthread_mutex_unlock(&card->lock);
    return found;
}

/* The way to the port or from it; NULL without a cable. */
static struct way *way_of(struct port *port, bool outward) {
    if (!port->end.peer)
        return NULL;
    return outward ? &port->end.peer->way : &port->end.way;
}

int card_fault(struct card *card, int port, bool outward, enum fault fault, double value, uint64_t frames) {
    struct port *found = card_port(card, port);
    if (!found)
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    struct way *way = way_of(found, outward);
    int result = way ? way_fault(way, fault, value, frames) : -ENOTCONN;
    pthread_mutex_unlock(&card->lock);
    return result;
}

int card_mend(struct card *card, int port, bool outward) {
    struct port *found = card_port(card, port);
    if (!found)
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    struct way *way = way_of(found, outward);
    if (way)
        way_mend(way);
    pthread_mutex_unlock(&card->lock);
    return way ? 0 : -ENOTCONN;
}

int card_faults(struct card *card, int port, bool outward, struct way_status *status) {
    struct port *found = card_port(card, port);
    if (!found)
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    struct way *way = way_of(found, outward);
    if (way)
        way_read_status(way, status);
    pthread_mutex_unlock(&card->lock);
    return way ? 0 : -ENOTCONN;
}

int card_seed(struct card *card, int port, uint64_t seed) {
    struct port *found = card_port(card, port);
    if (!found)
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    found->end.way.random = seed;
    pthread_mutex_unlock(&card->lock);
    return 0;
}

int card_clock(struct card *card, int port, double ppm) {
    struct port *found = card_port(card, port);
    if (!found)
        return -ENODEV;
    if (!(ppm >= -PPM_MAX && ppm <= PPM_MAX))
        return -EINVAL;
    pthread_mutex_lock(&card->lock);
    found->end.own_ppb = (int64_t)(ppm * PPB_PER_PPM + (ppm < 0 ? -0.5 : 0.5));
    pthread_mutex_unlock(&card->lock);
    return 0;
}

int card_follow(struct card *card, int port, bool follows) {
    struct port *found = card_port(card, port);
    if (!found)
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    found->end.follows = follows;
    pthread_mutex_unlock(&card->lock);
    return 0;
}

int card_build_out(struct card *card, int port, double db) {
    struct port *found = card_port(card, port);
    if (!found)
        return -ENODEV;
    if (!(db >= 0 && db <= BUILD_OUT_DB_MAX))
        return -EINVAL;
    pthread_mutex_lock(&card->lock);
    found->end.build_out_db = db;
    pthread_mutex_unlock(&card->lock);
    return 0;
}

int card_loop(struct card *card, int port, enum loop loop, uint64_t frames) {
    struct port *found = card_port(card, port);
    if (!found)
        return -ENODEV;
    if (loop > LOOP_PAYLOAD)
        return -EINVAL;
    pthread_mutex_lock(&card->lock);
    port_set_loop(found, loop, frames);
    pthread_mutex_unlock(&card->lock);
    return 0;
}

int card_slot_loops(struct card *card, int port, uint32_t slots, uint64_t frames) {
    struct port *found = card_port(card, port);
    if (!found)
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    port_set_slot_loops(found, slots, frames);
    pthread_mutex_unlock(&card->lock);
    return 0;
}

static int plug_in(struct card *card, int port, enum far_end_kind kind) {
    struct port *found = card->ports[port - 1];
    if (found->framer.config.type != LINE_T1)
        return -EMEDIUMTYPE;
    if (found->end.peer)
        return -EBUSY;
    struct far_end *far = malloc(sizeof *far);
    if (!far)
        return -ENOMEM;
    far_end_init(far, kind, &found->framer.config, (uint64_t)(CARD_PORTS_MAX + port));
    card->far_ends[port - 1] = far;
    return cable_join(&found->end, &far->port.end);
}

static int take_away(struct card *card, int port) {
    struct far_end *far = card->far_ends[port - 1];
    if (!far)
        return -ENOTCONN;
    cable_part(&far->port.end);
    card->far_ends[port - 1] = NULL;
    free(far);
    return 0;
}

int card_far_end(struct card *card, int port, enum far_end_kind kind) {
    if (!card_port(card, port))
        return -ENODEV;
    if (kind > FAR_END_NIU)
        return -EINVAL;
    pthread_mutex_lock(&card->lock);
    int result = kind == FAR_END_NONE ? take_away(card, port) : plug_in(card, port, kind);
    pthread_mutex_unlock(&card->lock);
    return result;
}

int card_far_end_status(struct card *card, int port, struct far_end_status *status) {
    if (!card_port(card, port))
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    struct far_end *far = card->far_ends[port - 1];
    if (far)
        far_end_read_status(far, status);
    pthread_mutex_unlock(&card->lock);
    return far ? 0 : -ENOTCONN;
}

int card_send_code(struct card *card, int port, enum inband_code code, uint64_t frames) {
    struct port *found = card_port(card, port);
    if (!found)
        return -ENODEV;
    if (found->framer.config.type != LINE_T1)
        return -EMEDIUMTYPE;
    if (code >= INBAND_CODES)
        return -EINVAL;
    pthread_mutex_lock(&card->lock);
    found->code = (struct inband_tx){.code = code, .left = frames};
    pthread_mutex_unlock(&card->lock);
    return 0;
}

int card_send_codeword(struct card *card, int port, uint16_t codeword, unsigned times) {
    struct port *found = card_port(card, port);
    if (!found)
        return -ENODEV;
    pthread_mutex_lock(&card->lock);
    bool sent = framer_send_bom(&found->framer, codeword, times);
    pthread_mutex_unlock(&card->lock);
    return sent ? 0 : -EMEDIUMTYPE;
}
