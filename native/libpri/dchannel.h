// SPDX-License-Identifier: GPL-2.0-or-later
// One D-channel: libpri's controller for life, the descriptor it has at the moment, and what its frames have shown.
#ifndef PUMP_DCHANNEL_H
#define PUMP_DCHANNEL_H

#include <libpri.h>
#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

struct pump;
struct call;

#define COUNTERS(X)                                                                                                    \
    X(frames_in)                                                                                                       \
    X(frames_out)                                                                                                      \
    X(octets_in)                                                                                                       \
    X(octets_out)                                                                                                      \
    X(link_resets)                                                                                                     \
    X(transmit_queued)                                                                                                 \
    X(transmit_dropped)                                                                                                \
    X(transmit_unattached)                                                                                             \
    X(short_writes)                                                                                                    \
    X(receive_dropped)                                                                                                 \
    X(drop_short)                                                                                                      \
    X(drop_address)                                                                                                    \
    X(drop_ui)                                                                                                         \
    X(drop_length)                                                                                                     \
    X(drop_i_response)                                                                                                 \
    X(neutral_n201)                                                                                                    \
    X(neutral_receive_number)                                                                                          \
    X(neutral_header)                                                                                                  \
    X(neutral_protocol)                                                                                                \
    X(neutral_elements)                                                                                                \
    X(neutral_setup_flag)                                                                                              \
    X(neutral_setup_repeated)                                                                                          \
    X(neutral_global_reference)                                                                                        \
    X(neutral_no_call)                                                                                                 \
    X(neutral_status_null)                                                                                             \
    X(neutral_status_enquiry)                                                                                          \
    X(neutral_restart)                                                                                                 \
    X(neutral_rate)                                                                                                    \
    X(neutral_calls_full)

#define COUNTER_ENUM(name) COUNT_##name,
enum counter { COUNTERS(COUNTER_ENUM) COUNTER_TOTAL };
#undef COUNTER_ENUM

enum { TRANSMIT_QUEUE = 32, MEMORY_QUEUE = 64, FRAMES_A_TURN = 64 };

struct frame_slot {
    uint16_t length; // FCS octets included
    uint8_t octets[FRAME_OCTETS];
};

struct frame_queue {
    struct frame_slot *slots; // allocated at first use
    unsigned capacity, first, count;
};

// What both directions' frames show of Q.921's state, so that nobody has to ask libpri.
struct link_observer {
    bool established;      // multiple frame operation, Q.921 5.5.1
    bool establishing;     // our SABME waits for its UA
    bool peer_sabme;       // the next UA of ours answers a SABME
    uint8_t receive_state; // V(R)
    uint8_t send_state;    // V(S), the highest so far
    uint8_t acknowledged;  // V(A)
};

enum { CAUSE_PATCHES = 64 };

// libpri refuses a SETUP with RELEASE COMPLETE for a few causes only; the others are put into the frame on its way out.
struct cause_patch {
    uint16_t reference;
    uint8_t cause;
};

struct dchannel {
    struct pump *pump;
    struct pri *pri;
    uint32_t number;
    bool network, service_messages, tapped;
    int fd;
    uint32_t interest;     // epoll events asked for
    bool event_pending;    // the device has events to be read before it gives or takes frames
    struct dchannel *peer; // joined in memory
    struct frame_queue transmit, memory, sent;
    const struct frame_slot *receiving; // the frame libpri reads next
    struct link_observer link;
    bool reported_up, dirty;
    uint8_t said[N201_OCTETS]; // the content of our last I frame, to know it again
    int said_length;
    bool in_maintenance;  // the frame being run is a SERVICE message
    bool in_band;         // the frame being run says that in-band information is there
    uint64_t deadline_ns; // 0: none
    uint64_t rate_window_ns;
    unsigned rate_count;
    struct call *calls;
    unsigned call_count;
    unsigned farewells;     // calls whose RELEASE COMPLETE waits for the window
    bool queue_lost;        // the peer reset the link: what waited for the window will never be sent
    unsigned unsent_setups; // outgoing calls none of whose messages has been on the line
    struct cause_patch patches[CAUSE_PATCHES];
    unsigned patch_count;
    uint64_t counters[COUNTER_TOTAL];
};

void queue_push(struct frame_queue *queue, const void *octets, int length); // the caller has made room
struct frame_slot *queue_first(struct frame_queue *queue);                  // NULL if empty
void queue_pop(struct frame_queue *queue);
bool queue_full(const struct frame_queue *queue);

// NULL if libpri refuses node or switch type. `fd` -1: none yet.
struct dchannel *dchannel_new(struct pump *pump, uint32_t number, int fd, int node, int switch_type,
                              bool service_messages);
void dchannel_free(struct dchannel *dchannel); // libpri offers no way to free its controller: that stays
void dchannel_join(struct dchannel *one, struct dchannel *other);

// 0 or -errno.
int dchannel_attach(struct dchannel *dchannel, int fd);
void dchannel_detach(struct dchannel *dchannel);
void dchannel_kick(struct dchannel *dchannel);

// Reads, guards and runs what the descriptor has; `ready` is epoll's.
void dchannel_ready(struct dchannel *dchannel, uint32_t ready);

// Runs frames queued in memory; true if there was one.
bool dchannel_run_memory(struct dchannel *dchannel);

#endif
