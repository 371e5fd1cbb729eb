/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_floor CARD PORTS CONTROL: the least that a line host's own end of a call costs, in C.
 *
 * epoll + libpri over the card's D-channels, a controller on the unix socket CONTROL that is told of offers, answers
 * and ends as JSON of a line host's shape, and claims and answers. No leases, no record, no checks.
 */
#define _GNU_SOURCE
#include "dchannels.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define CALLS 16384

static struct {
    struct dchannel *dchannel;
    q931_call *call;
    int channel;
} calls[CALLS];
static unsigned counter, events;
static struct wire control;
static int connected;

static void tell(const char *kind, unsigned id, const char *data) {
    char text[1280];
    int64_t now = now_ns();
    if (!connected)
        return;
    int len = snprintf(text, sizeof text,
                       "{\"parameters\":{\"start\":1,\"events\":[{\"n\":%u,\"utc_ns\":%lld,\"monotonic_ns\":%lld,"
                       "\"kind\":\"%s\",\"span\":\"a\",\"timeslot\":%d,\"call\":\"%u\",\"data\":{%s}}]},"
                       "\"continues\":true}",
                       ++events, (long long)now, (long long)now, kind, calls[id % CALLS].channel, id, data);
    wire_put(&control, text, (size_t)len);
}

static unsigned of(q931_call *call, struct dchannel *d) {
    for (unsigned id = counter; id && id + 2048 > counter; id--)
        if (calls[id % CALLS].call == call && calls[id % CALLS].dchannel == d)
            return id;
    return 0;
}

static void ring(struct dchannel *d, pri_event_ring *r) {
    char data[640];
    unsigned id = ++counter;
    calls[id % CALLS].dchannel = d;
    calls[id % CALLS].call = r->call;
    calls[id % CALLS].channel = r->channel;
    snprintf(data, sizeof data, "\"called\":{\"number\":\"%s\"},\"calling\":{\"number\":\"%s\"}", r->callednum,
             r->callingnum);
    tell("call.offered", id, data);
}

static void on_event(struct dchannel *d, pri_event *e) {
    unsigned id;
    char data[64];
    switch (e->e) {
    case PRI_EVENT_DCHAN_UP:
        d->up = 1;
        break;
    case PRI_EVENT_RING:
        ring(d, &e->ring);
        break;
    case PRI_EVENT_CONNECT_ACK:
        tell("call.answered", of(e->connect_ack.call, d), "");
        break;
    case PRI_EVENT_HANGUP:
    case PRI_EVENT_HANGUP_REQ:
        id = of(e->hangup.call, d);
        snprintf(data, sizeof data, "\"cause\":%d", e->hangup.cause);
        tell("call.ended", id, data);
        pri_hangup(d->pri, e->hangup.call, e->hangup.cause);
        if (e->e == PRI_EVENT_HANGUP)
            calls[id % CALLS].call = NULL;
        break;
    case PRI_EVENT_HANGUP_ACK:
        if ((id = of(e->hangup.call, d)))
            calls[id % CALLS].call = NULL;
        break;
    }
}

static void obey(const char *message) {
    const char *text;
    if (json_text(message, "call", &text)) {
        unsigned id = (unsigned)strtoul(text, NULL, 10) % CALLS;
        struct dchannel *d = calls[id].dchannel;
        if (strstr(message, ".Claim\""))
            pri_proceeding(d->pri, calls[id].call, calls[id].channel, 0);
        else if (strstr(message, ".Answer\""))
            pri_answer(d->pri, calls[id].call, calls[id].channel, 0);
    }
    if (!strstr(message, "\"oneway\":true"))
        wire_put(&control, "{\"parameters\":{}}", 17);
}

int main(int argc, char **argv) {
    static int listening, controlling;
    if (argc != 4) {
        fprintf(stderr, "usage: calls_floor CARD PORTS CONTROL\n");
        return 2;
    }
    int ep = epoll_create1(0);
    int listener = wire_listen(argv[3]);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &listening};
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
    dchannels_open(argv[1], argv[2], PRI_CPE, ep);
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct epoll_event ready[64];
        int n = epoll_wait(ep, ready, 64, dchannels_timeout());
        for (int i = 0; i < n; i++) {
            if (ready[i].data.ptr == &listening) {
                wire_init(&control, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
                connected = 1;
                e.data.ptr = &controlling;
                epoll_ctl(ep, EPOLL_CTL_ADD, control.fd, &e);
            } else if (ready[i].data.ptr == &controlling) {
                if (wire_read(&control) == 0)
                    return 0;
                for (char *m; (m = wire_next(&control));)
                    obey(m);
            } else {
                dchannel_turn(ready[i].data.ptr, on_event);
            }
        }
        if (!n)
            for (int i = 0; i < dchannel_count; i++)
                dchannel_turn(&dchannels[i], on_event);
        if (connected && control.out_len)
            wire_flush(&control);
    }
}
