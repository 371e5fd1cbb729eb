/* SPDX-License-Identifier: GPL-2.0-or-later */
/* alloc_client SOCKET GROUP ROUNDS IN_FLIGHT CLIENTS: allocates and releases channels with their descriptors.
 *
 * Each of CLIENTS connections keeps IN_FLIGHT cycles going: Allocate, take and close the descriptor, Release. Prints
 * one line: cycles, seconds, and p50, p99, p99.9, p99.99 of a whole cycle in ns (for one in flight), or of the time
 * between a request and its reply's end otherwise.
 */
#define _GNU_SOURCE
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct client {
    struct wire wire;
    int64_t *begun; /* FIFO of cycle starts, in order of requests in flight */
    unsigned char *releasing;
    unsigned first, count, size;
};

static long rounds, started, finished;
static int64_t *samples;
static char allocate[512];
static size_t allocate_len;

static void push(struct client *c, int64_t begun, int releasing) {
    unsigned at = (c->first + c->count++) % c->size;
    c->begun[at] = begun;
    c->releasing[at] = (unsigned char)releasing;
}

static void begin(struct client *c) {
    if (started == rounds)
        return;
    started++;
    push(c, now_ns(), 0);
    wire_put(&c->wire, allocate, allocate_len);
}

static void release(struct client *c, const char *message, int64_t begun) {
    const char *token;
    char text[512];
    size_t n = json_text(message, "token", &token);
    int fd = wire_take_fd(&c->wire);
    if (!n || fd < 0) {
        fprintf(stderr, "unexpected reply: %s\n", message);
        exit(1);
    }
    close(fd);
    int len =
        snprintf(text, sizeof text, "{\"method\":\"org.dahdipy.Channels.Release\",\"parameters\":{\"token\":\"%.*s\"}}",
                 (int)n, token);
    push(c, begun, 1);
    wire_put(&c->wire, text, (size_t)len);
}

static void answer(struct client *c, const char *message) {
    if (strstr(message, "\"error\"")) {
        fprintf(stderr, "refused: %s\n", message);
        exit(1);
    }
    int64_t begun = c->begun[c->first];
    int releasing = c->releasing[c->first];
    c->first = (c->first + 1) % c->size;
    c->count--;
    if (!releasing) {
        release(c, message, begun);
        return;
    }
    samples[finished++] = now_ns() - begun;
    begin(c);
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: alloc_client SOCKET GROUP ROUNDS IN_FLIGHT CLIENTS\n");
        return 2;
    }
    rounds = atol(argv[3]);
    unsigned depth = (unsigned)atoi(argv[4]), clients = (unsigned)atoi(argv[5]);
    samples = calloc((size_t)rounds, sizeof *samples);
    struct client *all = calloc(clients, sizeof *all);
    int ep = epoll_create1(0);
    allocate_len =
        (size_t)snprintf(allocate, sizeof allocate,
                         "{\"method\":\"org.dahdipy.Channels.Allocate\",\"parameters\":{\"group\":\"%s\"}}", argv[2]);
    for (unsigned i = 0; i < clients; i++) {
        wire_init(&all[i].wire, wire_connect(argv[1]));
        all[i].size = depth + 1;
        all[i].begun = calloc(all[i].size, sizeof *all[i].begun);
        all[i].releasing = calloc(all[i].size, 1);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &all[i]};
        epoll_ctl(ep, EPOLL_CTL_ADD, all[i].wire.fd, &e);
    }
    int64_t start = now_ns();
    for (unsigned i = 0; i < clients; i++) {
        for (unsigned k = 0; k < depth; k++)
            begin(&all[i]);
        wire_flush(&all[i].wire);
    }
    while (finished < rounds) {
        struct epoll_event ready[64];
        int n = epoll_wait(ep, ready, 64, 20000);
        if (n <= 0) {
            fprintf(stderr, "no answer for 20 s\n");
            return 1;
        }
        for (int i = 0; i < n; i++) {
            struct client *c = ready[i].data.ptr;
            if (wire_read(&c->wire) == 0) {
                fprintf(stderr, "connection closed\n");
                return 1;
            }
            for (char *m; (m = wire_next(&c->wire));)
                answer(c, m);
            wire_flush(&c->wire);
        }
    }
    double seconds = (double)(now_ns() - start) / 1e9;
    qsort(samples, (size_t)rounds, sizeof *samples, by_size);
    printf("%ld %.6f %lld %lld %lld %lld\n", rounds, seconds, (long long)samples[rounds / 2],
           (long long)samples[rounds * 99 / 100], (long long)samples[rounds * 999 / 1000],
           (long long)samples[rounds * 9999 / 10000]);
    return 0;
}
