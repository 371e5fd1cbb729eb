/* SPDX-License-Identifier: GPL-2.0-or-later */
/* alloc_floor DIRECTORY: the least that the topology client -> relay -> opener -> pair maker costs, in C.
 *
 * Three processes, a unix stream socket between each two, NUL-ended JSON of the product's shape, one epoll loop each.
 * An Allocate travels to the pair maker, which makes a SOCK_SEQPACKET pair, keeps one end non-blocking under epoll and
 * passes the other; the opener keeps a copy until Release, as a line host does. No checks, no table, no policy.
 * The relay listens on DIRECTORY/control.sock. Ends with its parent's SIGTERM (one process group).
 */
#define _GNU_SOURCE
#include "wire.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char RELEASED[] = "{\"parameters\":{}}";

struct peer {
    struct wire wire;
};

static int ep;
static struct wire up;              /* towards the next process */
static struct peer *waiting[65536]; /* who gets the next answers from `up`, in order */
static unsigned wait_first, wait_count;
static unsigned counter;
static int copies[65536];        /* opener: the kept copy of each token's descriptor */
static struct peer *released_by; /* opener: its only peer, the relay */

static void watch(int fd, void *what) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = what};
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
        die("epoll_ctl");
}

static void expect(struct peer *p) {
    waiting[(wait_first + wait_count++) & 65535] = p;
}

static struct peer *answered(void) {
    struct peer *p = waiting[wait_first & 65535];
    wait_first++;
    wait_count--;
    return p;
}

static int is_release(const char *message) {
    return strstr(message, ".Release\"") != NULL;
}

static void relay_request(struct peer *p, const char *message) {
    expect(p);
    wire_put(&up, message, strlen(message));
}

static void relay_answer(char *message) {
    struct peer *p = answered();
    int fd = strstr(message, "\"fds\"") ? wire_take_fd(&up) : -1;
    if (fd < 0) {
        wire_put(&p->wire, message, strlen(message));
        return;
    }
    wire_send_fd(&p->wire, message, strlen(message), fd);
    close(fd);
}

static void opener_request(struct peer *p, const char *message) {
    if (!is_release(message)) {
        expect(p);
        wire_put(&up, message, strlen(message));
        return;
    }
    const char *token;
    if (json_text(message, "token", &token)) {
        unsigned n = (unsigned)strtoul(token + 2, NULL, 10);
        close(copies[n & 65535]);
    }
    if (wait_count) /* answers come in order: behind the allocations still at the pair maker */
        expect(NULL), released_by = p;
    else
        wire_put(&p->wire, RELEASED, sizeof RELEASED - 1);
}

static void opener_answer(char *message) {
    (void)message;
    struct peer *p = answered();
    char text[256];
    int fd = wire_take_fd(&up);
    unsigned n = ++counter;
    copies[n & 65535] = fd;
    int len = snprintf(text, sizeof text,
                       "{\"parameters\":{\"token\":\"t/%u\",\"span\":\"a\",\"timeslot\":%u,\"media\":{\"law\":\"alaw\","
                       "\"mode\":\"voice\",\"chunk\":160,\"depth\":8,\"medium\":\"socket\"},\"fd\":0},\"fds\":1}",
                       n, n % 31);
    wire_send_fd(&p->wire, text, (size_t)len, fd);
    while (wait_count && !waiting[wait_first & 65535]) {
        answered();
        wire_put(&released_by->wire, RELEASED, sizeof RELEASED - 1);
    }
}

static void maker_request(struct peer *p, const char *message) {
    (void)message;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        die("socketpair");
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.u64 = ((uint64_t)(unsigned)pair[0] << 1) | 1};
    epoll_ctl(ep, EPOLL_CTL_ADD, pair[0], &e);
    wire_send_fd(&p->wire, "{\"parameters\":{\"fd\":0},\"fds\":1}", 31, pair[1]);
    close(pair[1]);
}

typedef void (*request_fn)(struct peer *, const char *);
typedef void (*answer_fn)(char *);

static void accept_peer(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct peer *p = malloc(sizeof *p);
    wire_init(&p->wire, fd);
    watch(fd, p);
}

static void serve_peer(struct peer *p, request_fn request) {
    if (wire_read(&p->wire) == 0) {
        close(p->wire.fd);
        free(p);
        return;
    }
    for (char *m; (m = wire_next(&p->wire));)
        request(p, m);
    if (p->wire.out_len)
        wire_flush(&p->wire);
}

static int flush(struct peer **peers, int n) {
    for (int i = 0; i < n; i++)
        if (peers[i]->wire.out_len)
            wire_flush(&peers[i]->wire);
    return 0;
}

/* Answers to many peers in one wake-up are flushed once each. */
static void serve_up(answer_fn answer) {
    struct peer *touched[64];
    int n = 0;
    if (wire_read(&up) == 0)
        exit(0);
    for (char *m; (m = wire_next(&up));) {
        struct peer *p = waiting[wait_first & 65535];
        answer(m);
        if (p->wire.out_len && (!n || touched[n - 1] != p))
            touched[n++] = p;
        if (n == 64)
            n = flush(touched, n);
    }
    flush(touched, n);
}

static void loop(int listener, request_fn request, answer_fn answer) {
    static int listening;
    ep = epoll_create1(EPOLL_CLOEXEC);
    watch(listener, &listening);
    if (answer)
        watch(up.fd, &up);
    for (;;) {
        struct epoll_event ready[64];
        int n = epoll_wait(ep, ready, 64, -1);
        for (int i = 0; i < n; i++) {
            void *what = ready[i].data.ptr;
            if (ready[i].data.u64 & 1)
                close((int)(ready[i].data.u64 >> 1));
            else if (what == &listening)
                accept_peer(listener);
            else if (what == &up)
                serve_up(answer);
            else
                serve_peer(what, request);
        }
        if (answer && up.out_len)
            wire_flush(&up);
    }
}

static void child(int listener, const char *next, request_fn request, answer_fn answer) {
    if (fork())
        return;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (next)
        wire_init(&up, wire_connect(next));
    loop(listener, request, answer);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: alloc_floor DIRECTORY\n");
        return 2;
    }
    char maker[256], opener[256], relay[256];
    snprintf(maker, sizeof maker, "%s/maker.sock", argv[1]);
    snprintf(opener, sizeof opener, "%s/opener.sock", argv[1]);
    snprintf(relay, sizeof relay, "%s/control.sock", argv[1]);
    int m = wire_listen(maker), o = wire_listen(opener), r = wire_listen(relay);
    child(m, NULL, maker_request, NULL);
    child(o, maker, opener_request, opener_answer);
    wire_init(&up, wire_connect(opener));
    puts("ready");
    fflush(stdout);
    loop(r, relay_request, relay_answer);
}
