/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_core CONTROL_SOCKET: the least of a switching core; claims and answers every call it is offered, at once.
 *
 * One connection serves, the other commands. Answers are read and not looked at: the far end counts what failed.
 */
#define _GNU_SOURCE
#include "wire.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct wire commands, offers;

static void say(struct wire *w, const char *text) {
    wire_put(w, text, strlen(text));
}

static void take(const char *offer) {
    const char *call;
    char text[400];
    size_t n = json_text(offer, "call", &call);
    if (!n)
        return;
    snprintf(text, sizeof text, "{\"method\":\"org.dahdipy.Calls.Claim\",\"parameters\":{\"call\":\"%.*s\"}}", (int)n,
             call);
    say(&commands, text);
    snprintf(text, sizeof text, "{\"method\":\"org.dahdipy.Calls.Answer\",\"parameters\":{\"call\":\"%.*s\"}}", (int)n,
             call);
    say(&commands, text);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: calls_core CONTROL_SOCKET\n");
        return 2;
    }
    wire_init(&commands, wire_connect(argv[1]));
    wire_init(&offers, wire_connect(argv[1]));
    say(&offers, "{\"method\":\"org.dahdipy.Calls.Serve\",\"parameters\":{\"groups\":[\"all\"]},\"more\":true}");
    wire_flush(&offers);
    for (;;) {
        struct pollfd p[2] = {{commands.fd, POLLIN, 0}, {offers.fd, POLLIN, 0}};
        poll(p, 2, -1);
        if (p[0].revents) {
            if (wire_read(&commands) == 0)
                return 0;
            while (wire_next(&commands))
                ;
        }
        if (p[1].revents) {
            if (wire_read(&offers) == 0)
                return 0;
            for (char *m; (m = wire_next(&offers));)
                if (strstr(m, "\"offer\":{"))
                    take(strstr(m, "\"offer\":{"));
        }
        if (commands.out_len)
            wire_flush(&commands);
    }
}
