// SPDX-License-Identifier: GPL-2.0-or-later
// Events go to the interpreter as one packed buffer a turn: a fixed header each, then fields of (tag, length, a, b).
#ifndef PUMP_EVENTS_H
#define PUMP_EVENTS_H

#include <stddef.h>
#include <stdint.h>

enum event_kind {
    EVENT_DCHANNEL_UP = 1,
    EVENT_DCHANNEL_DOWN,
    EVENT_LINK_RESET,
    EVENT_CONFIG_ERROR,
    EVENT_RING,
    EVENT_SETUP_ACK,
    EVENT_PROCEEDING,
    EVENT_ALERTING,
    EVENT_PROGRESS,
    EVENT_ANSWERED,
    EVENT_CONNECT_ACK,
    EVENT_DIGITS,
    EVENT_KEYPAD_DIGITS,
    EVENT_HANGUP_REQUEST,
    EVENT_ENDED,
    EVENT_RESTART,
    EVENT_RESTART_ACK,
    EVENT_SERVICE,
    EVENT_SERVICE_ACK,
    EVENT_NOTIFY,
    EVENT_FACILITY,
    EVENT_COMMAND_FAILED,
    EVENT_GONE,
    EVENT_DEVICE_EVENT_PENDING,
    EVENT_CLOCK_STEP,
    EVENT_FRAME,
    EVENT_ERROR,
};

enum field_tag {
    FIELD_CALLED = 1,
    FIELD_CALLING,
    FIELD_CALLING_NAME,
    FIELD_ANI,
    FIELD_REDIRECTING,
    FIELD_REDIRECTING_NAME,
    FIELD_ORIGINAL_CALLED,
    FIELD_ORIGINAL_CALLED_NAME,
    FIELD_CALLED_SUBADDRESS,
    FIELD_CALLING_SUBADDRESS,
    FIELD_CONNECTED,
    FIELD_CONNECTED_NAME,
    FIELD_DISPLAY,
    FIELD_KEYPAD,
    FIELD_USER_USER,
    FIELD_DIGITS,
    FIELD_TEXT,
};

// 40 octets; `size` counts header and payload.
struct event_header {
    uint16_t kind, size;
    uint32_t dchannel;
    uint64_t handle, ns;
    int32_t channel, a, b, c;
};

struct field_header {
    uint8_t tag, length, a, b;
};

struct event_buffer {
    uint8_t *octets;
    size_t length, capacity;
    size_t open; // where the event being written starts
};

// Out of memory ends the process: a lost event is a stuck call, a restarted line host is not.
void event_open(struct event_buffer *buffer, const struct event_header *header);
void event_octets(struct event_buffer *buffer, const void *octets, size_t length);
void event_field(struct event_buffer *buffer, enum field_tag tag, uint8_t a, uint8_t b, const void *octets,
                 size_t length);
void event_close(struct event_buffer *buffer);
void event_put(struct event_buffer *buffer, const struct event_header *header);

#endif
