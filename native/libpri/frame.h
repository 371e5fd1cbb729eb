// SPDX-License-Identifier: GPL-2.0-or-later
// What a D-channel frame says: the Q.921 header, and of its Q.931 message what guard, timeline and events need.
#ifndef PUMP_FRAME_H
#define PUMP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FCS_OCTETS = 2, N201_OCTETS = 260, FRAME_OCTETS = 1026, LAPD_HEADER = 4 };

// Q.931 4.4, message types.
enum q931_type {
    Q931_TYPE_ALERTING = 0x01,
    Q931_TYPE_CALL_PROCEEDING = 0x02,
    Q931_TYPE_PROGRESS = 0x03,
    Q931_TYPE_SETUP = 0x05,
    Q931_TYPE_CONNECT = 0x07,
    Q931_TYPE_SETUP_ACKNOWLEDGE = 0x0d,
    Q931_TYPE_CONNECT_ACKNOWLEDGE = 0x0f,
    Q931_TYPE_DISCONNECT = 0x45,
    Q931_TYPE_RESTART = 0x46,
    Q931_TYPE_RELEASE = 0x4d,
    Q931_TYPE_RESTART_ACKNOWLEDGE = 0x4e,
    Q931_TYPE_RELEASE_COMPLETE = 0x5a,
    Q931_TYPE_STATUS_ENQUIRY = 0x75,
    Q931_TYPE_STATUS = 0x7d,
};

// Q.931 4.5.1, information element identifiers.
enum q931_ie {
    Q931_IE_ID_CAUSE = 0x08,
    Q931_IE_ID_CALL_STATE = 0x14,
    Q931_IE_ID_CHANNEL = 0x18,
    Q931_IE_ID_PROGRESS = 0x1e,
    Q931_IE_ID_RESTART_INDICATOR = 0x79,
};

enum { PROTOCOL_Q931 = 0x08, PROTOCOL_MAINTENANCE_ATT = 0x03, PROTOCOL_MAINTENANCE_NATIONAL = 0x43 };

enum lapd_kind { LAPD_I, LAPD_S, LAPD_SABME, LAPD_DISC, LAPD_UA, LAPD_DM, LAPD_FRMR, LAPD_XID, LAPD_UI, LAPD_OTHER };

struct lapd_frame {
    enum lapd_kind kind;
    bool command_bit, poll_final;
    uint8_t send_number, receive_number;
    const uint8_t *information;
    int information_length;
};

struct q931_message {
    uint8_t protocol, type;
    uint8_t reference_length;
    uint16_t reference;    // 15 bits
    bool from_destination; // the call reference flag: 1 = sent by the side that did not choose the reference
    const uint8_t *elements;
    int elements_length;
    bool elements_fit; // the last element ends where the message ends
};

struct q931_element {
    const uint8_t *content;
    int length;
};

// `octets` is a frame without its FCS, at least 3 octets long.
struct lapd_frame lapd_parse(const uint8_t *octets, int length);

// False if the message is too short to have a type, or its call reference is not 1 or 2 octets (Q.931 4.3).
bool q931_parse(const uint8_t *octets, int length, struct q931_message *message);

// The first element `identifier` of codeset 0; `content` is NULL if there is none.
struct q931_element q931_find(const struct q931_message *message, uint8_t identifier);

// Cause value (0-127) and location (0-15) of the first cause element; false if there is none. Q.850 2.1.
bool q931_cause(const struct q931_message *message, uint8_t *value, uint8_t *location);

// True if a progress indicator says that in-band information is there (Q.931 4.5.23, description 8).
bool q931_in_band(const struct q931_message *message);

#endif
