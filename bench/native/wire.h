/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the bench programs share: a unix socket, NUL-ended messages, descriptors, time. No policy. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_BUFFER 65536
#define WIRE_FDS    256

struct wire {
    int fd;
    char in[WIRE_BUFFER];
    size_t filled;
    size_t taken;
    int fds[WIRE_FDS];
    int fd_first;
    int fd_count;
    char out[WIRE_BUFFER];
    size_t out_len;
};

void die(const char *what);
int64_t now_ns(void);

int wire_listen(const char *path);
int wire_connect(const char *path);
void wire_init(struct wire *w, int fd);

/* One recvmsg; returns octets read, 0 at end of file, -1 when nothing is there. */
long wire_read(struct wire *w);
/* The next whole message, or NULL; valid until the next wire_read. */
char *wire_next(struct wire *w);
/* The oldest descriptor received and not yet taken, or -1. */
int wire_take_fd(struct wire *w);

/* Queues a message without a descriptor; wire_flush sends what is queued in one sendmsg. */
void wire_put(struct wire *w, const char *text, size_t len);
void wire_flush(struct wire *w);
/* Sends one message with one descriptor, after what is queued. */
void wire_send_fd(struct wire *w, const char *text, size_t len, int fd);

/* The text between the quotes after "key":" in message; returns its length, 0 when absent. */
size_t json_text(const char *message, const char *key, const char **value);

#endif
