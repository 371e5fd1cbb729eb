// SPDX-License-Identifier: GPL-2.0-or-later
// Every call under our own handle, with the timeline that is its evidence. libpri's pointer never leaves this table.
#ifndef PUMP_CALLS_H
#define PUMP_CALLS_H

#include <libpri.h>
#include <stdbool.h>
#include <stdint.h>

struct dchannel;
struct q931_message;

#define INCOMING_HANDLES (1ULL << 62) // handles from here on are given out by the pump, those below by its user

enum { MOMENTS_MAX = 32, CALL_BUCKETS = 1024, CALLS_PER_DCHANNEL = 1024 };
enum cleared_by { CLEARED_BY_PROTOCOL, CLEARED_BY_US, CLEARED_BY_PEER };
enum direction { DIRECTION_IN, DIRECTION_OUT };
enum { NOT_GIVEN = 0xff };

// Copied out as it stands: 16 octets, little endian on the machines DAHDI runs on.
struct moment {
    uint64_t ns;
    uint8_t type, direction, cause, location;
    uint32_t reserved;
};

enum call_index { BY_HANDLE, BY_POINTER, BY_REFERENCE, CALL_INDEXES };

struct call {
    struct call *chain[CALL_INDEXES];
    uint64_t key[CALL_INDEXES];
    struct call *previous, *next; // the D-channel's calls
    struct call *next_released;
    struct dchannel *dchannel;
    q931_call *libpri_call; // NULL until libpri has reported an incoming SETUP
    uint64_t handle;
    uint16_t reference;
    bool outgoing;
    bool clearing; // a clearing message has gone either way
    bool hung_up;  // we have told libpri to clear
    bool released; // RELEASE COMPLETE has gone either way
    bool heard_release, sent_release;
    bool farewell;         // libpri has forgotten it; our RELEASE COMPLETE waits for the window (Q.921 5.6.1)
    uint8_t progress_rank; // how far an incoming call's answers have come (commands.c)
    uint8_t libpri_cause, clear_cause, clear_location;
    enum cleared_by cleared_by;
    int channel;
    unsigned heard; // messages of the peer's
    unsigned moments;
    struct moment timeline[MOMENTS_MAX];
};

struct call_table {
    struct call *buckets[CALL_INDEXES][CALL_BUCKETS];
    struct call *free;
    struct call *released; // to be finished once libpri has returned
    uint64_t next_incoming;
};

struct call *call_new(struct call_table *table, struct dchannel *dchannel, bool outgoing, uint16_t reference);
void call_set_handle(struct call_table *table, struct call *call, uint64_t handle);
void call_set_pointer(struct call_table *table, struct call *call, q931_call *libpri_call);
struct call *call_by_handle(const struct call_table *table, uint64_t handle);
struct call *call_by_pointer(const struct call_table *table, const q931_call *libpri_call);
struct call *call_by_reference(const struct call_table *table, const struct dchannel *dchannel, bool outgoing,
                               uint16_t reference);
void call_retire(struct call_table *table, struct call *call);
// libpri has forgotten the call: neither its pointer nor our handle leads to it any more, its reference still does.
void call_bid_farewell(struct call_table *table, struct call *call);
void call_table_clear(struct call_table *table);

// Enters a message in the timeline and draws from it what it says about the end of the call.
void call_note(struct call_table *table, struct call *call, const struct q931_message *message,
               enum direction direction, uint64_t now);

// True while libpri still has this very call: its address and its call reference.
bool call_in_libpri(const struct call *call);

#endif
