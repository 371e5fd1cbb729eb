// SPDX-License-Identifier: GPL-2.0-or-later
// A switching core's first steps in plain C: lease a B-channel on two spans that are cabled to each other,
// take both descriptors, and see that the octets written to one come out of the other, complete and in order.
//
//   cc -O2 -Wall -Wextra -Werror -o core core.c && ./core /run/dahdi-py/control.sock 1 2 5
//
// The socket speaks varlink: a JSON text and a NUL each way. A reply that says "fds":1 carries one descriptor.
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SECONDS = 2, OCTETS = SECONDS * 8000, BLOCK = 160, EVENT_PENDING = 500, IDLE_ALAW = 0xd5, IDLE_MULAW = 0xff };

static void fail(const char *what) {
    fprintf(stderr, "core: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

static int connect_to(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        fail("the socket's path is too long");
    strcpy(address.sun_path, path);
    int control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (control < 0 || connect(control, (struct sockaddr *)&address, sizeof address) < 0)
        fail(path);
    return control;
}

// Send the request, and leave the reply in `reply`; the descriptor that came with it is returned, -1 for none.
static int call(int control, const char *request, char *reply, size_t room) {
    int fd = -1;
    size_t got = 0;
    if (send(control, request, strlen(request) + 1, MSG_NOSIGNAL) != (ssize_t)strlen(request) + 1)
        fail("send");
    do {
        char ancillary[CMSG_SPACE(sizeof fd)];
        struct iovec into = {.iov_base = reply + got, .iov_len = room - got};
        struct msghdr message = {
            .msg_iov = &into, .msg_iovlen = 1, .msg_control = ancillary, .msg_controllen = sizeof ancillary};
        ssize_t count = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
        if (count <= 0 || (got += (size_t)count) == room)
            fail("no whole reply");
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
            memcpy(&fd, CMSG_DATA(header), sizeof fd);
    } while (reply[got - 1] != '\0');
    if (strstr(reply, "\"error\"")) {
        errno = 0;
        fail(reply);
    }
    return fd;
}

// The string value of `key`, as it stands in the reply (tokens hold nothing that JSON would escape).
static void string_of(const char *reply, const char *key, char *value, size_t room) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    const char *at = strstr(reply, quoted);
    at = at ? strchr(at + strlen(quoted), '"') : NULL;
    size_t length = at ? strcspn(at + 1, "\"") : room;
    if (length >= room)
        fail("the reply lacks a field");
    memcpy(value, at + 1, length);
    value[length] = '\0';
}

// Lease that timeslot of the span, and return its descriptor.
static int allocate(int control, const char *span, const char *timeslot, char *token, size_t room) {
    char request[256], reply[4096];
    snprintf(request, sizeof request,
             "{\"method\":\"org.dahdipy.Channels.Allocate\",\"parameters\":"
             "{\"span\":\"%s\",\"timeslot\":%d,\"label\":\"core.c\",\"media\":{\"mode\":\"data\",\"depth\":32}}}",
             span, atoi(timeslot));
    int fd = call(control, request, reply, sizeof reply);
    if (fd < 0)
        fail("no descriptor came with the lease");
    string_of(reply, "token", token, room);
    printf("span %s timeslot %s: lease %s, descriptor %d\n", span, timeslot, token, fd);
    return fd;
}

static void release(int control, const char *token) {
    char request[256], reply[4096];
    snprintf(request, sizeof request, "{\"method\":\"org.dahdipy.Channels.Release\",\"parameters\":{\"token\":\"%s\"}}",
             token);
    call(control, request, reply, sizeof reply);
}

// Octet n of the test audio; never one of those that the line sends by itself while nothing is written.
static unsigned char octet(size_t n) {
    return (n * 73 + n / 128 * 29) & 0x7f;
}

// Whether a read or write is to be tried again: nothing to do now, or (kernel) a device event to be fetched first.
static int again(void) {
    return errno == EAGAIN || errno == EINTR || errno == EVENT_PENDING;
}

// Write the next block of the audio, if the line takes it; the last one is filled up with whatever comes next.
static size_t write_block(int fd, size_t sent) {
    unsigned char block[BLOCK];
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = octet(sent + i);
    ssize_t count = write(fd, block, sizeof block);
    if (count < 0 && !again())
        fail("write");
    return count > 0 ? sent + (size_t)count : sent;
}

// Read a block and compare it with what is due; the line's own idle octets are passed over.
static size_t read_block(int fd, size_t received) {
    unsigned char block[BLOCK];
    ssize_t count = read(fd, block, sizeof block);
    if (count < 0 && !again())
        fail("read");
    for (ssize_t i = 0; i < count && received < OCTETS; i++) {
        if (block[i] == IDLE_ALAW || block[i] == IDLE_MULAW)
            continue;
        if (block[i] != octet(received)) {
            fprintf(stderr, "core: octet %zu is %02x, expected %02x\n", received, block[i], octet(received));
            exit(1);
        }
        received++;
    }
    return received;
}

int main(int count, char **arguments) {
    if (count != 5) {
        fprintf(stderr, "usage: %s CONTROL_SOCKET SPAN FAR_SPAN TIMESLOT\n", arguments[0]);
        return 2;
    }
    char near_token[128], far_token[128];
    int control = connect_to(arguments[1]);
    int near = allocate(control, arguments[2], arguments[4], near_token, sizeof near_token);
    int far = allocate(control, arguments[3], arguments[4], far_token, sizeof far_token);

    size_t sent = 0, received = 0;
    while (received < OCTETS) {
        struct pollfd both[] = {{.fd = near, .events = POLLOUT}, {.fd = far, .events = POLLIN}};
        int ready = poll(both, 2, 5000);
        if (ready == 0)
            errno = ETIMEDOUT;
        if (ready <= 0)
            fail("no audio moves");
        if (both[0].revents & POLLOUT)
            sent = write_block(near, sent);
        if (both[1].revents & POLLIN)
            received = read_block(far, received);
    }
    printf("%zu octets (%d s) from span %s to span %s, complete and in order\n", received, SECONDS, arguments[2],
           arguments[3]);
    release(control, near_token);
    release(control, far_token);
    return 0;
}
