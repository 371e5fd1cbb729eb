// SPDX-License-Identifier: GPL-2.0-or-later
// A switching core in plain C, in two lessons, without a JSON library:
//
//   core SOCKET loop NEAR FAR TIMESLOT   leases a B-channel on two spans that are cabled to each other, and sees that
//                                        the octets written to one come out of the other, complete and in order
//   core SOCKET echo NUMBER CALLS        serves a number: takes each call that is offered, gives its audio back, and
//                                        follows the events until so many calls have ended
//
//   cc -O2 -Wall -Wextra -Werror -o core core.c && ./core /run/dahdi-py/control.sock loop 1 2 5
//
// The socket speaks varlink: a JSON text and a NUL each way. A reply that says "fds":1 carries one descriptor.
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SECONDS = 2, OCTETS = SECONDS * 8000, BLOCK = 160, EVENT_PENDING = 500, IDLE_ALAW = 0xd5, IDLE_MULAW = 0xff };
enum { MESSAGE = 65536, NAME = 128, CALLS_MAX = 30 };

static void fail(const char *what) {
    fprintf(stderr, "core: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

// A connection and what has come on it: whole messages, each ended by a NUL, then perhaps a part of the next.
struct connection {
    int fd, passed; // passed: a descriptor that came along, -1 for none
    size_t length, taken;
    char text[MESSAGE];
};

static void connect_to(struct connection *to, const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        fail("the socket's path is too long");
    strcpy(address.sun_path, path);
    to->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to->passed = -1;
    to->length = to->taken = 0;
    if (to->fd < 0 || connect(to->fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail(path);
}

// Send one request, written as printf does.
__attribute__((format(printf, 2, 3))) static void ask(struct connection *to, const char *form, ...) {
    char request[512];
    va_list arguments;
    va_start(arguments, form);
    int length = vsnprintf(request, sizeof request, form, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof request)
        fail("the request is too long");
    if (send(to->fd, request, (size_t)length + 1, MSG_NOSIGNAL) != length + 1)
        fail("send");
}

static void receive(struct connection *from) {
    int fd = -1;
    char ancillary[CMSG_SPACE(sizeof fd)];
    memmove(from->text, from->text + from->taken, from->length -= from->taken);
    from->taken = 0;
    struct iovec into = {.iov_base = from->text + from->length, .iov_len = sizeof from->text - from->length};
    struct msghdr message = {
        .msg_iov = &into, .msg_iovlen = 1, .msg_control = ancillary, .msg_controllen = sizeof ancillary};
    ssize_t count = recvmsg(from->fd, &message, MSG_CMSG_CLOEXEC);
    if (count <= 0)
        fail("the service has closed the connection");
    from->length += (size_t)count;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(&from->passed, CMSG_DATA(header), sizeof fd);
}

// The next message, NULL when no whole one is there.
static const char *next_message(struct connection *from) {
    char *start = from->text + from->taken, *end = memchr(start, '\0', from->length - from->taken);
    if (!end)
        return NULL;
    from->taken = (size_t)(end - from->text) + 1;
    return start;
}

static const char *reply_of(struct connection *from) {
    const char *reply;
    while (!(reply = next_message(from)))
        receive(from);
    return reply;
}

// The answer to a call, which must be no error.
static const char *answer(struct connection *from) {
    const char *reply = reply_of(from);
    if (strstr(reply, "\"error\":\"")) {
        errno = 0;
        fail(reply);
    }
    return reply;
}

// The string or number that `key` has after `from`, as it stands there (none of those read here hold escapes).
static int value_of(const char *from, const char *key, char *value) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(from, quoted);
    if (!at)
        return 0;
    at += strlen(quoted);
    size_t length = *at == '"' ? strcspn(++at, "\"") : strcspn(at, ",}");
    if (length >= NAME)
        fail("a value is too long");
    memcpy(value, at, length);
    value[length] = '\0';
    return 1;
}

static int take_descriptor(struct connection *from) {
    int fd = from->passed;
    from->passed = -1;
    if (fd < 0)
        fail("no descriptor came with the reply");
    return fd;
}

static void release(struct connection *control, const char *token) {
    ask(control, "{\"method\":\"org.dahdipy.Channels.Release\",\"parameters\":{\"token\":\"%s\"}}", token);
    answer(control);
}

// Whether a read or write is to be tried again: nothing to do now, or (kernel) a device event to be fetched first.
static int again(void) {
    return errno == EAGAIN || errno == EINTR || errno == EVENT_PENDING;
}

// Lesson one: leases and descriptors.

static int allocate(struct connection *control, const char *span, const char *timeslot, char *token) {
    ask(control,
        "{\"method\":\"org.dahdipy.Channels.Allocate\",\"parameters\":"
        "{\"span\":\"%s\",\"timeslot\":%d,\"label\":\"core.c\",\"media\":{\"mode\":\"data\",\"depth\":32}}}",
        span, atoi(timeslot));
    if (!value_of(answer(control), "token", token))
        fail("the reply has no token");
    int fd = take_descriptor(control);
    printf("span %s timeslot %s: lease %s, descriptor %d\n", span, timeslot, token, fd);
    return fd;
}

// Octet n of the test audio; never one of those that the line sends by itself while nothing is written.
static unsigned char octet(size_t n) {
    return (n * 73 + n / 128 * 29) & 0x7f;
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

static void loop(struct connection *control, char **spans, const char *timeslot) {
    char near_token[NAME], far_token[NAME];
    int near = allocate(control, spans[0], timeslot, near_token);
    int far = allocate(control, spans[1], timeslot, far_token);
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
    printf("%zu octets (%d s) from span %s to span %s, complete and in order\n", received, SECONDS, spans[0], spans[1]);
    release(control, near_token);
    release(control, far_token);
}

// Lesson two: offers and events. Calls are told apart by their id; an event may come before the reply that names it.

struct talk {
    char call[NAME];
    int fd;   // of its audio; -1: this place is free
    int gone; // nothing moves on it any more
};

static struct talk *find(struct talk *talks, const char *call) {
    for (int i = 0; i < CALLS_MAX; i++)
        if (talks[i].fd >= 0 && strcmp(talks[i].call, call) == 0)
            return &talks[i];
    return NULL;
}

// Whether a step on the way to a call was done; if not, the caller has given up meanwhile, or another core was faster.
static const char *step(struct connection *control, const char *call) {
    const char *reply = reply_of(control);
    if (!strstr(reply, "\"error\":\""))
        return reply;
    printf("%s not taken: %s\n", call, reply);
    return NULL;
}

// Claim the offered call, open its channel and answer. A caller may hang up at any moment: that ends this call alone.
static void take(struct connection *control, struct talk *talks, const char *offer) {
    char call[NAME], token[NAME];
    const char *reply;
    struct talk *talk = talks;
    while (talk < talks + CALLS_MAX && talk->fd >= 0)
        talk++;
    if (!value_of(offer, "call", call) || talk == talks + CALLS_MAX)
        return;
    ask(control, "{\"method\":\"org.dahdipy.Calls.Claim\",\"parameters\":{\"call\":\"%s\",\"label\":\"core.c\"}}",
        call);
    if (!(reply = step(control, call)) || !value_of(reply, "token", token))
        return;
    ask(control,
        "{\"method\":\"org.dahdipy.Channels.Open\",\"parameters\":{\"token\":\"%s\",\"media\":{\"depth\":32}}}", token);
    if (step(control, call)) {
        strcpy(talk->call, call);
        talk->gone = 0;
        talk->fd = take_descriptor(control);
        ask(control, "{\"method\":\"org.dahdipy.Calls.Answer\",\"parameters\":{\"call\":\"%s\"}}", call);
        if (step(control, call)) {
            printf("answered %s\n", call);
            return;
        }
        close(talk->fd);
        talk->fd = -1;
    }
    ask(control, "{\"method\":\"org.dahdipy.Calls.Hangup\",\"parameters\":{\"call\":\"%s\"}}", call);
    reply_of(control); // done, or it is gone already
}

// What has come is given back; a block too many is dropped, as on any line. Returns 0 when the channel is gone.
static int echo_block(int fd) {
    unsigned char block[BLOCK];
    ssize_t count = read(fd, block, sizeof block);
    if (count > 0)
        count = write(fd, block, (size_t)count);
    return count > 0 || (count < 0 && again());
}

// Close the audio of each call whose end is told in the batch; returns how many those were.
static int follow(struct talk *talks, const char *batch) {
    int ended = 0;
    char call[NAME], kind[NAME], cause[NAME];
    for (const char *event = batch; (event = strstr(event, "\"kind\":\"call.ended\"")); event += strlen(kind)) {
        value_of(event, "kind", kind);
        struct talk *talk = value_of(event, "call", call) ? find(talks, call) : NULL;
        if (!talk)
            continue;
        close(talk->fd);
        talk->fd = -1;
        printf("%s ended, cause %s\n", call, value_of(event, "cause", cause) ? cause : "unknown");
        ended++;
    }
    return ended;
}

static void echo(struct connection *control, const char *path, const char *number, int calls) {
    static struct connection offers, events;
    struct talk talks[CALLS_MAX];
    const char *message;
    for (int i = 0; i < CALLS_MAX; i++)
        talks[i].fd = -1;
    connect_to(&events, path);
    ask(&events,
        "{\"method\":\"org.dahdipy.Events.Monitor\",\"parameters\":{\"kinds\":[\"call.ended\"]},\"more\":true}");
    answer(&events); // from here on no event is missed
    connect_to(&offers, path);
    ask(&offers, "{\"method\":\"org.dahdipy.Calls.Serve\",\"parameters\":{\"numbers\":[\"%s\"]},\"more\":true}",
        number);
    answer(&offers);
    printf("serving %s\n", number);
    fflush(stdout);
    while (calls > 0) {
        struct pollfd ready[2 + CALLS_MAX] = {{.fd = offers.fd, .events = POLLIN}, {.fd = events.fd, .events = POLLIN}};
        for (int i = 0; i < CALLS_MAX; i++)
            ready[2 + i] = (struct pollfd){.fd = talks[i].gone ? -1 : talks[i].fd, .events = POLLIN};
        if (poll(ready, 2 + CALLS_MAX, -1) < 0)
            fail("poll");
        for (int i = 0; i < CALLS_MAX; i++)
            if (ready[2 + i].revents)
                talks[i].gone = !echo_block(talks[i].fd); // of its end an event will tell
        if (ready[0].revents)
            receive(&offers);
        if (ready[1].revents)
            receive(&events);
        while ((message = next_message(&offers)))
            if (strstr(message, "\"offer\":{"))
                take(control, talks, message);
        while ((message = next_message(&events)))
            calls -= follow(talks, message);
    }
}

int main(int count, char **arguments) {
    static struct connection control;
    int lesson_one = count == 6 && strcmp(arguments[2], "loop") == 0;
    if (!lesson_one && !(count == 5 && strcmp(arguments[2], "echo") == 0)) {
        fprintf(stderr, "usage: %s SOCKET loop NEAR_SPAN FAR_SPAN TIMESLOT\n       %s SOCKET echo NUMBER CALLS\n",
                arguments[0], arguments[0]);
        return 2;
    }
    connect_to(&control, arguments[1]);
    if (lesson_one)
        loop(&control, arguments + 3, arguments[5]);
    else
        echo(&control, arguments[1], arguments[3], atoi(arguments[4]));
    return 0;
}
