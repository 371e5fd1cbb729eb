// SPDX-License-Identifier: GPL-2.0-or-later
// The pump under the sanitizers: mutated frames in and out of sequence, random commands, a device with manners like
// DAHDI's. Prints what it did; any finding ends the process.
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "commands.h"
#include "pump.h"

enum { FRAMES = 60000, COMMAND_ROUNDS = 20000, DEVICE_EVENT = 500 };

static uint64_t dice_state = 0x9e3779b97f4a7c15ULL;
static int reads_to_refuse;

static unsigned dice(unsigned below) {
    dice_state ^= dice_state << 13;
    dice_state ^= dice_state >> 7;
    dice_state ^= dice_state << 17;
    return (unsigned)(dice_state >> 33) % below;
}

ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);

ssize_t __wrap_read(int fd, void *buffer, size_t size) {
    if (reads_to_refuse > 0) {
        reads_to_refuse--;
        errno = DEVICE_EVENT;
        return -1;
    }
    return __real_read(fd, buffer, size);
}

static size_t turn(struct pump *pump) {
    return pump_turn(pump, (const uint8_t *)"", 0);
}

static void pass(struct pump *pump, uint64_t ns) {
    pump_set_now(pump, pump_now(pump) + ns);
    turn(pump);
}

static const char *const seeds[] = {
    "\x08\x02\x00\x11\x05\x04\x03\x80\x90\xa3\x18\x03\xa9\x83\x81\x70\x05\xa1\x32\x30\x30\x31",
    "\x08\x02\x00\x12\x05\x04\x03\x80\x90\xa3\x18\x03\xa9\x83\x82\x6c\x06\x21\x81\x35\x35\x35\x35\x70\x03\xa1\x32\x31",
    "\x08\x02\x80\x01\x01\x1e\x02\x81\x88",
    "\x08\x02\x80\x01\x07\x18\x03\xa9\x83\x81",
    "\x08\x02\x00\x11\x45\x08\x02\x82\x90",
    "\x08\x02\x00\x11\x5a",
    "\x08\x02\x00\x00\x46\x18\x03\xa9\x83\x85\x79\x01\x80",
    "\x08\x02\x00\x11\x62\x1c\x0a\x9f\xa1\x07\x02\x01\x01\x02\x01\x22\x05\x00",
    "\x43\x02\x00\x00\x07\x01\x01\xc2\x18\x03\xa9\x83\x82",
};
static const uint8_t seed_lengths[] = {22, 28, 9, 10, 9, 5, 13, 18, 13};
enum { SEEDS = sizeof seed_lengths };

static int mutate(uint8_t *octets, int length, int room) {
    for (unsigned times = dice(4); times; times--) {
        int at = length ? (int)dice((unsigned)length) : 0;
        switch (dice(4)) {
        case 0:
            octets[at] = (uint8_t)dice(256);
            break;
        case 1:
            octets[at] ^= (uint8_t)(1 << dice(8));
            break;
        case 2:
            length = at;
            break;
        default:
            for (unsigned more = 1 + dice(40); more && length < room; more--)
                octets[length++] = (uint8_t)dice(256);
        }
    }
    return length;
}

// The peer of one D-channel: acknowledges all, numbers its I frames right, fills them with rubbish.
struct peer {
    struct pump *pump;
    unsigned dchannel;
    uint8_t command, sent, received;
};

static void collect(struct peer *peer) {
    uint8_t frame[FRAME_OCTETS];
    for (int length; (length = pump_take_sent(peer->pump, peer->dchannel, frame)) > 0;) {
        if (!(frame[2] & 1))
            peer->received = ((frame[2] >> 1) + 1) & 127;
        else if ((frame[2] & 0xef) == 0x6f) {
            uint8_t answer[] = {frame[0], 1, 0x73};
            pump_inject(peer->pump, peer->dchannel, answer, sizeof answer);
            peer->sent = peer->received = 0;
        }
    }
    uint8_t ready[] = {peer->command ^ 2, 1, 1, (uint8_t)(peer->received << 1)};
    pump_inject(peer->pump, peer->dchannel, ready, sizeof ready);
    turn(peer->pump);
}

static void say(struct peer *peer, bool in_sequence) {
    uint8_t frame[FRAME_OCTETS] = {peer->command, 1, (uint8_t)(peer->sent << 1), (uint8_t)(peer->received << 1)};
    unsigned seed = dice(SEEDS);
    memcpy(frame + 4, seeds[seed], seed_lengths[seed]);
    int length =
        in_sequence ? 4 + mutate(frame + 4, seed_lengths[seed], 300) : mutate(frame, 4 + seed_lengths[seed], 300);
    peer->sent = (peer->sent + in_sequence) & 127;
    pump_inject(peer->pump, peer->dchannel, frame, (size_t)length);
    turn(peer->pump);
    collect(peer);
}

static void fuzz_frames(int node, int switch_type, bool in_sequence) {
    struct pump *pump = pump_new(1);
    int number = pump_add(pump, -1, node, switch_type, 1);
    assert(number == 0);
    struct peer peer = {pump, 0, node == PRI_CPE ? 2 : 0, 0, 0};
    pump_tap(pump, 0, 1);
    collect(&peer);
    collect(&peer);
    assert(pump_link_up(pump, 0));
    for (int i = 0; i < FRAMES; i++) {
        say(&peer, in_sequence);
        if (i % 64 == 0)
            pass(pump, NS_PER_SECOND);
    }
    for (int i = 0; i < 300; i++) {
        pass(pump, NS_PER_SECOND);
        collect(&peer);
    }
    char *info = pump_info(pump, 0);
    assert(info);
    pump_info_free(info);
    printf("%d frames, switch %d, %s: %llu calls\n", FRAMES, switch_type,
           in_sequence ? "in sequence" : "out of sequence", (unsigned long long)pump->calls.next_incoming);
    assert(pump->calls.next_incoming > (in_sequence ? 500 : 10));
    pump_free(pump);
}

static uint64_t some_handle(const struct pump *pump) {
    switch (dice(3)) {
    case 0:
        return dice(3000);
    case 1:
        return INCOMING_HANDLES + dice((unsigned)pump->calls.next_incoming + 2);
    default:
        return dice_state;
    }
}

static void fuzz_commands(void) {
    struct pump *pump = pump_new(1);
    unsigned network = (unsigned)pump_add(pump, -1, PRI_NETWORK, PRI_SWITCH_EUROISDN_E1, 0);
    unsigned cpe = (unsigned)pump_add(pump, -1, PRI_CPE, PRI_SWITCH_EUROISDN_E1, 0);
    pump_join(pump, network, cpe);
    turn(pump);
    for (int i = 0; i < COMMAND_ROUNDS; i++) {
        uint8_t octets[256];
        struct command_header command = {
            .kind = (uint16_t)(dice(3) ? dice(17) : COMMAND_SETUP), .dchannel = dice(3), .handle = some_handle(pump)};
        unsigned fields = dice(64);
        command.size = (uint16_t)(sizeof command + fields + (dice(50) ? 0 : dice(9)));
        command.channel = (int32_t)dice(40);
        command.a = dice(4) ? (int32_t)dice(200) : (int32_t)dice_state;
        command.b = (int32_t)dice(150);
        memcpy(octets, &command, sizeof command);
        for (unsigned at = 0; at < fields; at++)
            octets[sizeof command + at] = (uint8_t)dice(256);
        if (dice(3) && fields >= 8) // one well-formed called number
            memcpy(octets + sizeof command,
                   "\x01\x04\x21\xff"
                   "2001",
                   8),
                command.size = sizeof command + 8, memcpy(octets, &command, sizeof command);
        pump_turn(pump, octets, sizeof command + (command.size == sizeof command + 8 ? 8 : fields));
        if (i % 16 == 0)
            pass(pump, NS_PER_SECOND);
    }
    printf("%d commands, %llu incoming calls\n", COMMAND_ROUNDS, (unsigned long long)pump->calls.next_incoming);
    assert(pump->calls.next_incoming > 100);
    pump_free(pump);
}

static bool has_event(const struct pump *pump, size_t length, enum event_kind kind) {
    const uint8_t *events = pump_events(pump);
    for (size_t at = 0; at < length;) {
        struct event_header header;
        memcpy(&header, events + at, sizeof header);
        if (header.kind == kind)
            return true;
        at += header.size;
    }
    return false;
}

// A device event stops the D-channel until it has been read: once told, no spinning, and kick goes on.
static void device_events(void) {
    int pair[2];
    assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
    struct pump *pump = pump_new(1);
    unsigned dchannel = (unsigned)pump_add(pump, pair[0], PRI_CPE, PRI_SWITCH_NI2, 1);
    uint8_t frame[64];
    assert(__real_read(pair[1], frame, sizeof frame) == 5);
    uint8_t answer[] = {frame[0], 1, 0x73, 0, 0};
    assert(write(pair[1], answer, sizeof answer) == sizeof answer);
    reads_to_refuse = 1;
    assert(has_event(pump, turn(pump), EVENT_DEVICE_EVENT_PENDING));
    assert(turn(pump) == 0);
    assert(!pump_link_up(pump, dchannel));
    pump_kick(pump, dchannel);
    assert(has_event(pump, turn(pump), EVENT_DCHANNEL_UP));
    close(pair[1]);
    assert(has_event(pump, turn(pump), EVENT_GONE));
    assert(turn(pump) == 0);
    pump_free(pump);
    close(pair[0]);
    printf("device events\n");
}

int main(void) {
    device_events();
    fuzz_commands();
    fuzz_frames(PRI_CPE, PRI_SWITCH_EUROISDN_E1, true);
    fuzz_frames(PRI_NETWORK, PRI_SWITCH_NI2, true);
    fuzz_frames(PRI_NETWORK, PRI_SWITCH_QSIG, true);
    fuzz_frames(PRI_CPE, PRI_SWITCH_EUROISDN_E1, false);
    return 0;
}
