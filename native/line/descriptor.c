// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "descriptor.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a block costs in a socket's queue: measured once a size, for it is the kernel's affair. */
#define SIZES 16
#define FLOOR 5120 /* below it the kernel may hold more than it is told to */

static _Atomic uint64_t known_costs[SIZES]; /* block << 32 | cost */

static int measure(const int ends[2], size_t block) {
    static const uint8_t nothing[8192];
    uint8_t discard;
    int cost = 0;
    if (send(ends[0], nothing, block, MSG_NOSIGNAL) < 0 || ioctl(ends[0], SIOCOUTQ, &cost) < 0)
        return -errno;
    if (recv(ends[1], &discard, 1, MSG_TRUNC) < 0)
        return -errno;
    return cost;
}

static int cost_of(const int ends[2], size_t block) {
    _Atomic uint64_t *known = &known_costs[block / 8 % SIZES];
    uint64_t value = atomic_load_explicit(known, memory_order_relaxed);
    if (value >> 32 == block)
        return (int)(value & 0xFFFFFFFF);
    int cost = measure(ends, block);
    if (cost > 0)
        atomic_store_explicit(known, (uint64_t)block << 32 | (uint64_t)cost, memory_order_relaxed);
    return cost;
}

static int hold(int fd, int octets) {
    int half = octets / 2; /* the kernel doubles it */
    return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof half) < 0 ? -errno : 0;
}

static int holds(int fd, int cost) {
    int octets = 0;
    socklen_t size = sizeof octets;
    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, &size) < 0)
        return -errno;
    return (octets + cost - 1) / cost; /* a write is taken while less than `octets` is queued */
}

int descriptor_pair(int ends[2], size_t block, size_t *depth) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    int cost = cost_of(ends, block), error = cost < 0 ? cost : 0;
    int octets = cost * (int)*depth;
    if (!error)
        error = hold(ends[0], octets);
    if (!error)
        error = hold(ends[1], octets);
    if (!error && octets < FLOOR) {
        error = holds(ends[0], cost);
        if (error > 0) {
            *depth = (size_t)error;
            error = 0;
        }
    }
    if (error) {
        close(ends[0]);
        close(ends[1]);
    }
    return error;
}
