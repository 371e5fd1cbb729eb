/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_controller HOST_SOCKET: claims and answers every call a line host (or its floor) offers, at once. */
#define _GNU_SOURCE
#include "wire.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct wire commands, monitor;
static long long start_number;

static void say(struct wire *w, const char *text) {
    wire_put(w, text, strlen(text));
}

static void attach(void) {
    say(&commands, "{\"method\":\"org.dahdipy.Host.Attach\",\"parameters\":{\"epoch\":1000000,\"protocol\":1,"
                   "\"version\":\"bench\"}}");
    wire_flush(&commands);
    char *reply;
    while (!(reply = wire_next(&commands)))
        if (wire_read(&commands) == 0)
            exit(1);
    char *at = strstr(reply, "\"start\":");
    start_number = at ? atoll(at + 8) : 1;
}

static void claim_and_answer(const char *call, size_t n) {
    char text[512];
    snprintf(
        text, sizeof text,
        "{\"method\":\"org.dahdipy.Host.Claim\",\"parameters\":{\"call\":\"%.*s\",\"owner\":{\"label\":\"bench\"}}}",
        (int)n, call);
    say(&commands, text);
    snprintf(text, sizeof text, "{\"method\":\"org.dahdipy.Host.Answer\",\"parameters\":{\"call\":\"%.*s\"}}", (int)n,
             call);
    say(&commands, text);
}

/* Every offer of a batch is claimed; the batch is then committed by its last number. */
static void heard(const char *batch) {
    char text[160];
    long long last = 0;
    for (const char *at = batch; (at = strstr(at, "{\"n\":")); at++)
        last = atoll(at + 5);
    for (const char *at = batch; (at = strstr(at, "\"kind\":\"call.offered\""));) {
        const char *call;
        at += 20;
        size_t n = json_text(at, "call", &call);
        if (n)
            claim_and_answer(call, n);
    }
    if (!last)
        return;
    snprintf(text, sizeof text,
             "{\"method\":\"org.dahdipy.Host.Commit\",\"parameters\":{\"start\":%lld,\"n\":%lld},\"oneway\":true}",
             start_number, last);
    say(&commands, text);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: calls_controller HOST_SOCKET\n");
        return 2;
    }
    wire_init(&commands, wire_connect(argv[1]));
    attach();
    if (start_number != 1 || !getenv("BENCH_FLOOR")) {
        wire_init(&monitor, wire_connect(argv[1]));
        say(&monitor, "{\"method\":\"org.dahdipy.Host.Monitor\",\"parameters\":{\"epoch\":1000000},\"more\":true}");
        wire_flush(&monitor);
        say(&commands, "{\"method\":\"org.dahdipy.Host.Ready\",\"parameters\":{}}");
        wire_flush(&commands);
    } else {
        monitor.fd = -1; /* the floor has one connection for both */
    }
    for (;;) {
        struct pollfd p[2] = {{commands.fd, POLLIN, 0}, {monitor.fd, POLLIN, 0}};
        poll(p, 2, -1);
        if (p[0].revents) {
            if (wire_read(&commands) == 0)
                return 0;
            for (char *m; (m = wire_next(&commands));)
                heard(m);
        }
        if (p[1].revents) {
            if (wire_read(&monitor) == 0)
                return 0;
            for (char *m; (m = wire_next(&monitor));)
                heard(m);
        }
        if (commands.out_len)
            wire_flush(&commands);
    }
}
