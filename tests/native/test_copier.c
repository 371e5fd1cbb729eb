// SPDX-License-Identifier: GPL-2.0-or-later
/* The copier under the sanitizers: pairs joined, parted, written, read and closed at random, while it copies. */
#define _GNU_SOURCE
#include "copier.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS 40
#define TURNS 20000
#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                                                 \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

struct ends {
    int near[2], far[2]; /* of both sides */
    int number;          /* 0: not joined */
};

static unsigned state = 1;

static unsigned below(unsigned n) {
    state = state * 1103515245u + 12345u;
    return (state >> 16) % n;
}

static void make(struct ends *ends) {
    for (int side = 0; side < 2; side++) {
        int made[2];
        CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, made) == 0);
        ends->near[side] = made[0];
        ends->far[side] = made[1];
    }
    ends->number = 0;
}

static void unmake(struct copier *copier, struct ends *ends) {
    struct copier_counts counts[2];
    if (ends->number)
        CHECK(copier_part(copier, ends->number, counts) == 0);
    for (int side = 0; side < 2; side++) {
        close(ends->near[side]);
        if (ends->far[side] >= 0)
            close(ends->far[side]);
    }
}

static void join(struct copier *copier, struct ends *ends) {
    bool live = below(2);
    int chunk = live || below(3) ? 1 + (int)below(below(4) ? 400 : COPIER_CHUNK_MAX) : 0;
    int other = chunk ? 1 + (int)below(400) : 0;
    ends->number = copier_join(copier, ends->near[0], chunk, ends->near[1], other, live);
    CHECK(ends->number > 0);
    if (ends->far[0] >= 0 && ends->far[1] >= 0) /* else the pair may have ended already */
        CHECK(copier_join(copier, ends->near[0], 160, ends->near[1], 160, true) == -EEXIST);
    CHECK(copier_join(copier, ends->near[0], 0, ends->near[1], 160, false) == -EINVAL);
}

static void use(struct ends *ends) {
    static uint8_t block[COPIER_CHUNK_MAX];
    int fd = ends->far[below(2)];
    if (fd < 0)
        return;
    for (unsigned times = below(8); times; times--)
        if (send(fd, block, below(below(8) ? 400 : sizeof block), MSG_NOSIGNAL) < 0)
            break;
    while (below(3) && recv(fd, block, sizeof block, 0) > 0)
        ;
}

static void anything(struct copier *copier, struct ends *ends) {
    switch (below(12)) {
    case 0:
        unmake(copier, ends);
        make(ends);
        break;
    case 1: {
        int side = (int)below(2);
        if (ends->far[side] >= 0)
            close(ends->far[side]);
        ends->far[side] = -1;
        break;
    }
    case 2:
        while (copier_ended(copier) >= 0)
            ;
        break;
    default:
        if (!ends->number)
            join(copier, ends);
        else
            use(ends);
    }
}

int main(void) {
    struct copier *copier = copier_new();
    CHECK(copier);
    struct ends pairs[PAIRS];
    for (int at = 0; at < PAIRS; at++)
        make(&pairs[at]);
    for (int turn = 0; turn < TURNS; turn++)
        anything(copier, &pairs[below(PAIRS)]);
    for (int at = 0; at < PAIRS / 2; at++)
        unmake(copier, &pairs[at]);
    copier_free(copier);
    for (int at = PAIRS / 2; at < PAIRS; at++) {
        pairs[at].number = 0;
        unmake(copier, &pairs[at]);
    }
    puts("done");
    return 0;
}
