/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "dchannels.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

struct dchannel dchannels[MAX_DCHANNELS];
int dchannel_count;

static int read_frame(struct pri *pri, void *buffer, int size) {
    struct dchannel *d = pri_get_userdata(pri);
    ssize_t n = read(d->fd, buffer, (size_t)size);
    return n > 0 ? (int)n : 0;
}

static int write_frame(struct pri *pri, void *buffer, int size) {
    struct dchannel *d = pri_get_userdata(pri);
    if (write(d->fd, buffer, (size_t)size) < 0 && errno != EAGAIN)
        die("D-channel");
    return size;
}

static void quiet(struct pri *pri, char *text) {
    (void)pri;
    (void)text;
}

/* The card's answer to one call; ends the program when it is an error. */
static void ask(struct wire *card, const char *format, int port) {
    char text[200];
    char *reply;
    int len = snprintf(text, sizeof text, format, port);
    wire_put(card, text, (size_t)len);
    wire_flush(card);
    while (!(reply = wire_next(card)))
        if (wire_read(card) == 0)
            die("card");
    if (strstr(reply, "\"error\"")) {
        fprintf(stderr, "card refused port %d: %s\n", port, reply);
        exit(1);
    }
}

#define CARD(method, rest) "{\"method\":\"org.dahdipy.Card." method "\",\"parameters\":{\"port\":\"%d\"" rest "}}"

static void open_one(struct wire *card, int port, int node, int ep) {
    struct dchannel *d = &dchannels[dchannel_count++];
    ask(card, CARD("Configure", ",\"type\":\"E1\",\"dchannel\":16"), port);
    ask(card, CARD("Startup", ""), port);
    ask(card, CARD("OpenDchannel", ",\"timeslot\":16"), port);
    d->fd = wire_take_fd(card);
    fcntl(d->fd, F_SETFL, O_NONBLOCK);
    d->pri = pri_new_cb(-1, node, PRI_SWITCH_EUROISDN_E1, read_frame, write_frame, d);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = d};
    epoll_ctl(ep, EPOLL_CTL_ADD, d->fd, &e);
}

void dchannels_open(const char *card_path, const char *ports, int node, int ep) {
    static struct wire card;
    wire_init(&card, wire_connect(card_path));
    pri_set_message(quiet);
    pri_set_error(quiet);
    for (const char *at = ports; *at;) {
        char *end;
        int first = (int)strtol(at, &end, 10), last = first;
        if (*end == '-')
            last = (int)strtol(end + 1, &end, 10);
        for (int port = first; port <= last && dchannel_count < MAX_DCHANNELS; port++)
            open_one(&card, port, node, ep);
        at = *end == ',' ? end + 1 : end;
    }
}

void dchannel_turn(struct dchannel *d, void (*on_event)(struct dchannel *, pri_event *)) {
    pri_event *e;
    while ((e = pri_check_event(d->pri)))
        on_event(d, e);
    while ((e = pri_schedule_run(d->pri)))
        on_event(d, e);
}

int dchannels_timeout(void) {
    struct timeval now, *next;
    long least = 1000;
    gettimeofday(&now, NULL);
    for (int i = 0; i < dchannel_count; i++)
        if ((next = pri_schedule_next(dchannels[i].pri))) {
            long ms = (next->tv_sec - now.tv_sec) * 1000 + (next->tv_usec - now.tv_usec + 999) / 1000;
            if (ms < least)
                least = ms;
        }
    return least < 0 ? 0 : (int)least;
}
