/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void die(const char *what) {
    perror(what);
    exit(1);
}

int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct sockaddr_un address(const char *path) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path) {
        fprintf(stderr, "socket path too long: %s\n", path);
        exit(1);
    }
    strcpy(a.sun_path, path);
    return a;
}

int wire_listen(const char *path) {
    struct sockaddr_un a = address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 512))
        die(path);
    return fd;
}

int wire_connect(const char *path) {
    struct sockaddr_un a = address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a))
        die(path);
    return fd;
}

void wire_init(struct wire *w, int fd) {
    memset(w, 0, sizeof *w);
    w->fd = fd;
}

static void keep_fds(struct wire *w, struct msghdr *m) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_type != SCM_RIGHTS)
            continue;
        int n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + (size_t)i * sizeof(int), sizeof fd);
            if (w->fd_count == WIRE_FDS)
                close(fd);
            else
                w->fds[(w->fd_first + w->fd_count++) % WIRE_FDS] = fd;
        }
    }
}

long wire_read(struct wire *w) {
    char control[CMSG_SPACE(sizeof(int) * 253)];
    if (w->taken) {
        memmove(w->in, w->in + w->taken, w->filled - w->taken);
        w->filled -= w->taken;
        w->taken = 0;
    }
    struct iovec v = {w->in + w->filled, WIRE_BUFFER - w->filled};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(w->fd, &m, MSG_CMSG_CLOEXEC);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? -1 : 0;
    keep_fds(w, &m);
    w->filled += (size_t)n;
    return n;
}

char *wire_next(struct wire *w) {
    char *start = w->in + w->taken;
    char *end = memchr(start, 0, w->filled - w->taken);
    if (!end)
        return NULL;
    w->taken = (size_t)(end - w->in) + 1;
    return start;
}

int wire_take_fd(struct wire *w) {
    if (!w->fd_count)
        return -1;
    int fd = w->fds[w->fd_first];
    w->fd_first = (w->fd_first + 1) % WIRE_FDS;
    w->fd_count--;
    return fd;
}

static void send_all(int fd, const char *text, size_t len, int passed) {
    char control[CMSG_SPACE(sizeof(int))] = {0};
    while (len) {
        struct iovec v = {(void *)text, len};
        struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
        if (passed >= 0) {
            m.msg_control = control;
            m.msg_controllen = sizeof control;
            struct cmsghdr *c = CMSG_FIRSTHDR(&m);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(sizeof(int));
            memcpy(CMSG_DATA(c), &passed, sizeof passed);
        }
        ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR || errno == EAGAIN)
                continue;
            die("sendmsg");
        }
        passed = -1;
        text += n;
        len -= (size_t)n;
    }
}

void wire_flush(struct wire *w) {
    send_all(w->fd, w->out, w->out_len, -1);
    w->out_len = 0;
}

void wire_put(struct wire *w, const char *text, size_t len) {
    if (w->out_len + len + 1 > WIRE_BUFFER)
        wire_flush(w);
    memcpy(w->out + w->out_len, text, len);
    w->out[w->out_len + len] = 0;
    w->out_len += len + 1;
}

void wire_send_fd(struct wire *w, const char *text, size_t len, int fd) {
    char message[4096];
    if (w->out_len)
        wire_flush(w);
    if (len + 1 > sizeof message) {
        fprintf(stderr, "message too long\n");
        exit(1);
    }
    memcpy(message, text, len);
    message[len] = 0;
    send_all(w->fd, message, len + 1, fd);
}

size_t json_text(const char *message, const char *key, const char **value) {
    char pattern[64];
    snprintf(pattern, sizeof pattern, "\"%s\":\"", key);
    const char *at = strstr(message, pattern);
    if (!at)
        return 0;
    at += strlen(pattern);
    *value = at;
    return strcspn(at, "\"");
}
