// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks.h"

#include <string.h>

#include "guard.h"
#include "link.h"
#include "pump.h"

// Q.931 too short to have a message type: libpri acknowledges the frame and does nothing.
static const uint8_t neutral_content[] = {PROTOCOL_Q931, 0x00};

static void tap(struct dchannel *dchannel, const uint8_t *octets, int length, enum direction direction) {
    struct event_header header = pump_header(dchannel, EVENT_FRAME);
    header.a = direction;
    event_open(&dchannel->pump->events, &header);
    event_octets(&dchannel->pump->events, octets, (size_t)length);
    event_close(&dchannel->pump->events);
}

static void cut(struct frame_slot *slot, int information_length) {
    slot->length = (uint16_t)(LAPD_HEADER + information_length + FCS_OCTETS);
    memset(slot->octets + LAPD_HEADER + information_length, 0, FCS_OCTETS);
}

static void neutralise(struct frame_slot *slot) {
    memcpy(slot->octets + LAPD_HEADER, neutral_content, sizeof neutral_content);
    cut(slot, sizeof neutral_content);
}

// What libpri answers with RELEASE COMPLETE and forgets: STATUS ENQUIRY without elements (cause 81, Q.931 5.8.3.2 a),
// and for STATUS one of any state but 0 (cause 101, 5.8.11).
static void leave_bare(struct frame_slot *slot, const struct q931_message *message) {
    static const uint8_t status[] = {Q931_IE_ID_CAUSE, 2, 0x80, 0xe5, Q931_IE_ID_CALL_STATE, 1, 10};
    uint8_t *elements = slot->octets + LAPD_HEADER + 3 + message->reference_length;
    bool is_status = message->type == Q931_TYPE_STATUS;
    if (is_status)
        memcpy(elements, status, sizeof status);
    else
        elements[-1] = Q931_TYPE_STATUS_ENQUIRY;
    cut(slot, 3 + message->reference_length + (is_status ? (int)sizeof status : 0));
}

static void remember(struct dchannel *dchannel, const struct lapd_frame *frame) {
    if (frame->kind != LAPD_I || frame->information_length > N201_OCTETS)
        return;
    memcpy(dchannel->said, frame->information, (size_t)frame->information_length);
    dchannel->said_length = frame->information_length;
}

// An I frame that comes as a response is none of the far end's (Q.921 3.3.2); with our own last content it is our own.
static void tell_echo(struct dchannel *dchannel, const struct lapd_frame *frame) {
    static const char text[] = "our own I frame came back: the line is looped";
    if (!dchannel->said_length || frame->information_length != dchannel->said_length ||
        memcmp(frame->information, dchannel->said, (size_t)dchannel->said_length) != 0)
        return;
    struct event_header header = pump_header(dchannel, EVENT_CONFIG_ERROR);
    header.a = true;
    event_open(&dchannel->pump->events, &header);
    event_field(&dchannel->pump->events, FIELD_TEXT, 0, 0, text, sizeof text - 1);
    event_close(&dchannel->pump->events);
}

// Judges an I frame that libpri will take, and enters its message in its call's timeline.
static void take_message(struct dchannel *dchannel, struct frame_slot *slot, const struct lapd_frame *frame,
                         struct call **call) {
    struct pump *pump = dchannel->pump;
    struct q931_message message;
    int verdict = guard_layer3(dchannel, frame, &message, call);
    if (verdict != GUARD_PASS) {
        dchannel->counters[verdict]++;
        if (verdict == COUNT_neutral_no_call)
            leave_bare(slot, &message);
        else
            neutralise(slot);
        *call = NULL;
        return;
    }
    dchannel->in_maintenance = message.protocol != PROTOCOL_Q931;
    if (!dchannel->in_maintenance && message.type == Q931_TYPE_SETUP)
        *call = call_new(&pump->calls, dchannel, false, message.reference);
    if (*call)
        call_note(&pump->calls, *call, &message, DIRECTION_IN, clock_now(&pump->clock));
    dchannel->in_band = q931_in_band(&message);
}

bool hook_frame_in(struct dchannel *dchannel, struct frame_slot *slot, struct call **call) {
    int length = slot->length - FCS_OCTETS;
    struct lapd_frame frame;
    if (dchannel->tapped && length > 0)
        tap(dchannel, slot->octets, length, DIRECTION_IN);
    int verdict = guard_layer2(dchannel, slot->octets, length, &frame);
    if (verdict != GUARD_PASS) {
        dchannel->counters[verdict]++;
        if (verdict == COUNT_drop_i_response)
            tell_echo(dchannel, &frame);
        return false;
    }
    dchannel->in_maintenance = false;
    if (frame.kind == LAPD_I) {
        bool numbered_right = link_acknowledges(&dchannel->link, frame.receive_number);
        if (link_in_sequence(dchannel, &frame))
            take_message(dchannel, slot, &frame, call);
        else {
            if (dchannel->link.established && !numbered_right)
                dchannel->counters[COUNT_neutral_receive_number]++;
            neutralise(slot); // libpri will discard the content, or must not have it: N(R) is wrong
        }
    }
    link_observe_in(dchannel, &frame);
    return true;
}

static void patch_cause(struct dchannel *dchannel, uint8_t *octets, const struct q931_message *message) {
    for (unsigned i = 0; i < dchannel->patch_count; i++) {
        struct cause_patch *patch = &dchannel->patches[i];
        if (patch->reference != message->reference || message->type != Q931_TYPE_RELEASE_COMPLETE ||
            !message->from_destination)
            continue;
        struct q931_element cause = q931_find(message, Q931_IE_ID_CAUSE);
        if (cause.content && cause.length >= 2)
            octets[cause.content - octets + 1] = 0x80 | patch->cause;
        *patch = dchannel->patches[--dchannel->patch_count];
        return;
    }
}

void hook_frame_out(struct dchannel *dchannel, uint8_t *octets, int length) {
    struct pump *pump = dchannel->pump;
    struct lapd_frame frame = lapd_parse(octets, length);
    struct q931_message message;
    if (link_observe_out(dchannel, &frame) && q931_parse(frame.information, frame.information_length, &message) &&
        message.protocol == PROTOCOL_Q931) {
        if (dchannel->patch_count)
            patch_cause(dchannel, octets, &message);
        struct call *call = call_by_reference(&pump->calls, dchannel, !message.from_destination, message.reference);
        if (call)
            call_note(&pump->calls, call, &message, DIRECTION_OUT, clock_now(&pump->clock));
    }
    remember(dchannel, &frame);
    if (dchannel->tapped)
        tap(dchannel, octets, length, DIRECTION_OUT);
}
