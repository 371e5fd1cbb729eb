// SPDX-License-Identifier: GPL-2.0-or-later
#include "guard.h"

#include "link.h"
#include "pump.h"

enum { SAPI_CALL_CONTROL = 0, TEI_POINT_TO_POINT = 0, FRMR_INFORMATION = 5 };
enum { NEW_CALLS_A_SECOND = 200, CHANNEL_NUMBER_MAX = 31 };
enum { SERVICE_TYPE_ONE = 0x07, SERVICE_TYPE_OTHER = 0x0f, REFERENCE_GLOBAL = 0 };
enum { RESTART_INDICATED_CHANNELS = 0 };

int guard_layer2(const struct dchannel *dchannel, const uint8_t *octets, int length, struct lapd_frame *frame) {
    if (length < 3)
        return COUNT_drop_short;
    bool extended = octets[0] & 0x01, last = octets[1] & 0x01;
    if (extended || !last || octets[0] >> 2 != SAPI_CALL_CONTROL || octets[1] >> 1 != TEI_POINT_TO_POINT)
        return COUNT_drop_address;
    *frame = lapd_parse(octets, length);
    switch (frame->kind) {
    case LAPD_UI: // call control on a primary rate interface uses acknowledged operation only
        return COUNT_drop_ui;
    case LAPD_I:
        if (length < LAPD_HEADER)
            return COUNT_drop_short;
        return link_is_command(dchannel, frame) ? GUARD_PASS : COUNT_drop_i_response;
    case LAPD_S:
        return length == LAPD_HEADER ? GUARD_PASS : COUNT_drop_length;
    case LAPD_SABME:
    case LAPD_DISC:
    case LAPD_UA:
    case LAPD_DM:
        return frame->information_length == 0 ? GUARD_PASS : COUNT_drop_length;
    case LAPD_FRMR:
        return frame->information_length == FRMR_INFORMATION ? GUARD_PASS : COUNT_drop_length;
    default:
        return frame->information_length <= N201_OCTETS ? GUARD_PASS : COUNT_drop_length;
    }
}

static bool over_rate(struct dchannel *dchannel) {
    uint64_t now = clock_now(&dchannel->pump->clock);
    if (now - dchannel->rate_window_ns >= NS_PER_SECOND) {
        dchannel->rate_window_ns = now;
        dchannel->rate_count = 0;
    }
    return ++dchannel->rate_count > NEW_CALLS_A_SECOND;
}

static int judge_setup(struct dchannel *dchannel, const struct q931_message *message, const struct call *call) {
    if (message->from_destination) // Q.931 5.8.3.2 d
        return COUNT_neutral_setup_flag;
    if (call) // Q.931 5.8.3.2 e
        return COUNT_neutral_setup_repeated;
    if (dchannel->call_count >= CALLS_PER_DCHANNEL)
        return COUNT_neutral_calls_full;
    return over_rate(dchannel) ? COUNT_neutral_rate : GUARD_PASS;
}

// Q.931 5.5.2: what cannot be a channel of ours must not be reported as restarted.
static int judge_restart(const struct q931_message *message) {
    struct q931_element channel = q931_find(message, Q931_IE_ID_CHANNEL);
    struct q931_element indicator = q931_find(message, Q931_IE_ID_RESTART_INDICATOR);
    if (!indicator.content || indicator.length < 1)
        return COUNT_neutral_restart;
    if ((indicator.content[0] & 0x07) != RESTART_INDICATED_CHANNELS)
        return GUARD_PASS;
    if (!channel.content || channel.length < 3)
        return COUNT_neutral_restart;
    uint8_t number = channel.content[channel.length - 1] & 0x7f;
    bool by_map = channel.content[channel.length - 2] & 0x10;
    return by_map || (number >= 1 && number <= CHANNEL_NUMBER_MAX) ? GUARD_PASS : COUNT_neutral_restart;
}

static int judge_protocol(const struct dchannel *dchannel, const struct q931_message *message) {
    if (message->protocol == PROTOCOL_Q931)
        return GUARD_PASS;
    bool maintenance =
        message->protocol == PROTOCOL_MAINTENANCE_ATT || message->protocol == PROTOCOL_MAINTENANCE_NATIONAL;
    bool service = message->type == SERVICE_TYPE_ONE || message->type == SERVICE_TYPE_OTHER;
    // libpri keeps a record for every other call reference, and answers what it does not support for ever.
    if (maintenance && dchannel->service_messages && service && message->reference == REFERENCE_GLOBAL)
        return GUARD_PASS;
    return COUNT_neutral_protocol;
}

// Q.931 5.8.3.2 f.
static int judge_global(const struct q931_message *message) {
    switch (message->type) {
    case Q931_TYPE_RESTART:
        return judge_restart(message);
    case Q931_TYPE_RESTART_ACKNOWLEDGE:
    case Q931_TYPE_STATUS:
        return GUARD_PASS;
    default:
        return COUNT_neutral_global_reference;
    }
}

// Q.931 5.8.3.2 a-c. These libpri answers by the book whatever is in them; of others it may make a record and keep it.
static int judge_no_call(const struct q931_message *message) {
    switch (message->type) {
    case Q931_TYPE_DISCONNECT:
    case Q931_TYPE_RELEASE:
    case Q931_TYPE_RELEASE_COMPLETE:
    case Q931_TYPE_STATUS_ENQUIRY:
        return GUARD_PASS;
    case Q931_TYPE_STATUS: { // Q.931 5.8.11: state 0 for a call we do not have is the end of the matter
        struct q931_element state = q931_find(message, Q931_IE_ID_CALL_STATE);
        bool null_state = state.content && state.length >= 1 && (state.content[0] & 0x3f) == 0;
        return null_state ? COUNT_neutral_status_null : COUNT_neutral_no_call;
    }
    default:
        return COUNT_neutral_no_call;
    }
}

static int judge_message(struct dchannel *dchannel, const struct q931_message *message, const struct call *call) {
    if (message->type & 0x80) // Q.931 4.4: reserved; libpri would not see the difference
        return COUNT_neutral_header;
    if (message->reference == REFERENCE_GLOBAL)
        return judge_global(message);
    if (message->type == Q931_TYPE_SETUP)
        return judge_setup(dchannel, message, call);
    if (!call)
        return judge_no_call(message);
    if (message->type == Q931_TYPE_RESTART)
        return COUNT_neutral_restart;
    // libpri's answer in U1 would stop the repetition of our SETUP.
    if (message->type == Q931_TYPE_STATUS_ENQUIRY && call->outgoing && !call->heard)
        return COUNT_neutral_status_enquiry;
    return GUARD_PASS;
}

int guard_layer3(struct dchannel *dchannel, const struct lapd_frame *frame, struct q931_message *message,
                 struct call **call) {
    *call = NULL;
    if (frame->information_length > N201_OCTETS)
        return COUNT_neutral_n201;
    if (!q931_parse(frame->information, frame->information_length, message))
        return COUNT_neutral_header;
    int verdict = judge_protocol(dchannel, message);
    if (verdict != GUARD_PASS || message->protocol != PROTOCOL_Q931)
        return verdict;
    if (!message->elements_fit) // Q.931 5.8.2
        return COUNT_neutral_elements;
    *call = call_by_reference(&dchannel->pump->calls, dchannel, message->from_destination, message->reference);
    return judge_message(dchannel, message, *call);
}
