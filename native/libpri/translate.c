// SPDX-License-Identifier: GPL-2.0-or-later
#include "translate.h"

#include <string.h>

#include "link.h"
#include "pump.h"

enum { SERVICE_IN = 0, SERVICE_OUT = 2, CAUSE_NOT_IMPLEMENTED = 69 };

static uint8_t octet_or_none(int value) {
    return value < 0 || value > 0xfe ? NOT_GIVEN : (uint8_t)value;
}

static void put_text(struct event_buffer *events, enum field_tag tag, int a, int b, const char *text) {
    if (text[0])
        event_field(events, tag, octet_or_none(a), octet_or_none(b), text, strlen(text));
}

static void put_subaddress(struct event_buffer *events, enum field_tag tag,
                           const struct pri_party_subaddress *address) {
    if (address->valid && address->length > 0 && (size_t)address->length <= sizeof address->data)
        event_field(events, tag, octet_or_none(address->type), (uint8_t)address->odd_even_indicator, address->data,
                    (size_t)address->length);
}

static void put_party(struct event_buffer *events, enum field_tag number, enum field_tag name,
                      const struct pri_party_id *party) {
    if (party->number.valid)
        event_field(events, number, octet_or_none(party->number.plan), octet_or_none(party->number.presentation),
                    party->number.str, strnlen(party->number.str, sizeof party->number.str));
    if (party->name.valid)
        put_text(events, name, party->name.char_set, party->name.presentation, party->name.str);
}

static void put_subcommands(struct event_buffer *events, const struct pri_subcommands *subcommands) {
    for (int i = 0; subcommands && i < subcommands->counter_subcmd; i++) {
        const struct pri_subcommand *each = &subcommands->subcmd[i];
        if (each->cmd == PRI_SUBCMD_CONNECTED_LINE)
            put_party(events, FIELD_CONNECTED, FIELD_CONNECTED_NAME, &each->u.connected_line.id);
        else if (each->cmd == PRI_SUBCMD_DISPLAY_TEXT && each->u.display.length > 0)
            event_field(events, FIELD_DISPLAY, octet_or_none(each->u.display.char_set), 0, each->u.display.text,
                        (size_t)each->u.display.length);
    }
}

static struct event_header header_for(struct dchannel *dchannel, struct call *call, enum event_kind kind, int channel) {
    struct event_header header = pump_header(dchannel, kind);
    header.handle = call ? call->handle : 0;
    header.channel = channel;
    if (call)
        call->channel = channel;
    return header;
}

static void put_event(struct event_header header, const char *user_user, const struct pri_subcommands *subcommands,
                      struct dchannel *dchannel) {
    struct event_buffer *events = &dchannel->pump->events;
    event_open(events, &header);
    if (user_user)
        put_text(events, FIELD_USER_USER, -1, -1, user_user);
    put_subcommands(events, subcommands);
    event_close(events);
}

static void put_ring(struct dchannel *dchannel, const pri_event_ring *ring, struct call *call) {
    struct event_buffer *events = &dchannel->pump->events;
    struct event_header header = header_for(dchannel, call, EVENT_RING, ring->channel);
    int redirections = 0;
    for (int i = 0; i < ring->subcmds->counter_subcmd; i++)
        if (ring->subcmds->subcmd[i].cmd == PRI_SUBCMD_REDIRECTING)
            redirections = ring->subcmds->subcmd[i].u.redirecting.count;
    header.a = octet_or_none(ring->ctype) | octet_or_none(ring->layer1) << 8;
    header.b = (ring->progressmask & 0xffff) | (ring->flexible ? 1 << 16 : 0) | (ring->complete ? 1 << 17 : 0) |
               (ring->reversecharge == PRI_REVERSECHARGE_REQUESTED ? 1 << 18 : 0);
    header.c = octet_or_none(ring->redirectingreason) | octet_or_none(ring->origredirectingreason) << 8 |
               (redirections & 0xff) << 16;
    event_open(events, &header);
    put_text(events, FIELD_CALLED, ring->calledplan, -1, ring->callednum);
    if (ring->calling.number.valid)
        put_party(events, FIELD_CALLING, FIELD_CALLING_NAME, &ring->calling);
    else
        put_text(events, FIELD_CALLING_NAME, -1, -1, ring->callingname);
    put_text(events, FIELD_ANI, ring->callingplanani, -1, ring->callingani);
    put_text(events, FIELD_REDIRECTING, ring->callingplanrdnis, -1, ring->redirectingnum);
    put_text(events, FIELD_REDIRECTING_NAME, -1, -1, ring->redirectingname);
    put_text(events, FIELD_ORIGINAL_CALLED, ring->callingplanorigcalled, -1, ring->origcallednum);
    put_text(events, FIELD_ORIGINAL_CALLED_NAME, -1, -1, ring->origcalledname);
    put_subaddress(events, FIELD_CALLING_SUBADDRESS, &ring->calling.subaddress);
    put_subaddress(events, FIELD_CALLED_SUBADDRESS, &ring->called_subaddress);
    put_text(events, FIELD_KEYPAD, -1, -1, ring->keypad_digits);
    put_text(events, FIELD_USER_USER, -1, -1, ring->useruserinfo);
    put_subcommands(events, ring->subcmds);
    event_close(events);
}

static struct call *take_ring(struct dchannel *dchannel, pri_event *event, struct call *call) {
    struct call_table *calls = &dchannel->pump->calls;
    if (!call || call->libpri_call) { // no SETUP: call-independent signalling, which nothing here serves
        pri_hangup(dchannel->pri, event->ring.call, CAUSE_NOT_IMPLEMENTED);
        return NULL;
    }
    call_set_pointer(calls, call, event->ring.call);
    call_set_handle(calls, call, INCOMING_HANDLES + ++calls->next_incoming);
    put_ring(dchannel, &event->ring, call);
    return call;
}

static struct call *take_progress(struct dchannel *dchannel, enum event_kind kind, const pri_event_proceeding *event) {
    struct call *call = call_by_pointer(&dchannel->pump->calls, event->call);
    if (!call)
        return NULL;
    struct event_header header = header_for(dchannel, call, kind, event->channel);
    header.a = event->progressmask;
    header.b = kind == EVENT_PROGRESS ? event->cause : -1;
    put_event(header, NULL, event->subcmds, dchannel);
    return call;
}

static struct call *take_answer(struct dchannel *dchannel, enum event_kind kind, const pri_event_answer *event) {
    struct call *call = call_by_pointer(&dchannel->pump->calls, event->call);
    if (!call)
        return NULL;
    struct event_header header = header_for(dchannel, call, kind, event->channel);
    header.a = event->progressmask;
    put_event(header, event->useruserinfo, event->subcmds, dchannel);
    return call;
}

static struct call *take_clearing(struct dchannel *dchannel, const pri_event_hangup *event) {
    struct call *call = call_by_pointer(&dchannel->pump->calls, event->call);
    if (!call)
        return NULL;
    call->libpri_cause = octet_or_none(event->cause);
    if (event->e == PRI_EVENT_HANGUP_REQ) {
        struct event_header header = header_for(dchannel, call, EVENT_HANGUP_REQUEST, event->channel);
        header.a = event->cause;
        header.b = call->clear_location;
        // In answer to SETUP itself DISCONNECT does not stop libpri's T303, whose end would forget the call unreleased.
        bool first_answer = call->outgoing && call->heard == 1;
        header.c = dchannel->in_band && !first_answer;
        put_event(header, event->useruserinfo, event->subcmds, dchannel);
        if (first_answer && !call->hung_up) {
            call->hung_up = true;
            pri_hangup(dchannel->pri, event->call, event->cause);
        }
    } else if (event->e == PRI_EVENT_HANGUP)
        pri_hangup(dchannel->pri, event->call, event->cause); // else libpri keeps the record for ever
    return call;
}

static struct call *take_digits(struct dchannel *dchannel, enum event_kind kind, q931_call *libpri_call, int channel,
                                const char *digits, int complete, const struct pri_subcommands *subcommands) {
    struct call *call = call_by_pointer(&dchannel->pump->calls, libpri_call);
    struct event_buffer *events = &dchannel->pump->events;
    if (!call)
        return NULL;
    struct event_header header = header_for(dchannel, call, kind, channel);
    header.a = complete;
    event_open(events, &header);
    put_text(events, FIELD_DIGITS, -1, -1, digits);
    put_subcommands(events, subcommands);
    event_close(events);
    return call;
}

static struct call *take_plain(struct dchannel *dchannel, enum event_kind kind, q931_call *libpri_call, int channel,
                               int a, const struct pri_subcommands *subcommands) {
    struct call *call = call_by_pointer(&dchannel->pump->calls, libpri_call);
    if (!call)
        return NULL;
    struct event_header header = header_for(dchannel, call, kind, channel);
    header.a = a;
    put_event(header, NULL, subcommands, dchannel);
    return call;
}

static struct call *take_channel(struct dchannel *dchannel, enum event_kind kind, int channel, int status) {
    struct event_header header = header_for(dchannel, NULL, kind, channel);
    header.a = status;
    put_event(header, NULL, NULL, dchannel);
    return NULL;
}

// Up and down come from the link observer; libpri reports them late, twice, and for SERVICE messages too.
static void take_dchannel(struct dchannel *dchannel, int status) {
    if (dchannel->in_maintenance)
        take_channel(dchannel, EVENT_SERVICE, -1, status);
}

static void take_config_error(struct dchannel *dchannel, const pri_event_error *event) {
    struct event_header header = pump_header(dchannel, EVENT_CONFIG_ERROR);
    event_open(&dchannel->pump->events, &header);
    put_text(&dchannel->pump->events, FIELD_TEXT, -1, -1, event->err);
    event_close(&dchannel->pump->events);
}

struct call *translate(struct dchannel *dchannel, pri_event *event, struct call *call) {
    switch (event->e) {
    case PRI_EVENT_DCHAN_UP:
        if (!dchannel->in_maintenance)
            link_confirm(dchannel);
        take_dchannel(dchannel, SERVICE_IN);
        return NULL;
    case PRI_EVENT_DCHAN_DOWN:
        take_dchannel(dchannel, SERVICE_OUT);
        return NULL;
    case PRI_EVENT_CONFIG_ERR:
        take_config_error(dchannel, &event->err);
        return NULL;
    case PRI_EVENT_RING:
        return take_ring(dchannel, event, call);
    case PRI_EVENT_SETUP_ACK:
        return take_plain(dchannel, EVENT_SETUP_ACK, event->setup_ack.call, event->setup_ack.channel,
                          event->setup_ack.progressmask, event->setup_ack.subcmds);
    case PRI_EVENT_PROCEEDING:
        return take_progress(dchannel, EVENT_PROCEEDING, &event->proceeding);
    case PRI_EVENT_PROGRESS:
        return take_progress(dchannel, EVENT_PROGRESS, &event->proceeding);
    case PRI_EVENT_RINGING: // the two structures are of one shape
        return take_answer(dchannel, EVENT_ALERTING, &event->answer);
    case PRI_EVENT_ANSWER:
        return take_answer(dchannel, EVENT_ANSWERED, &event->answer);
    case PRI_EVENT_CONNECT_ACK:
        return take_plain(dchannel, EVENT_CONNECT_ACK, event->connect_ack.call, event->connect_ack.channel, 0,
                          event->connect_ack.subcmds);
    case PRI_EVENT_INFO_RECEIVED:
        return take_digits(dchannel, EVENT_DIGITS, event->ring.call, event->ring.channel, event->ring.callednum,
                           event->ring.complete, event->ring.subcmds);
    case PRI_EVENT_KEYPAD_DIGIT:
        return take_digits(dchannel, EVENT_KEYPAD_DIGITS, event->digit.call, event->digit.channel, event->digit.digits,
                           0, event->digit.subcmds);
    case PRI_EVENT_HANGUP_REQ:
    case PRI_EVENT_HANGUP:
    case PRI_EVENT_HANGUP_ACK:
        return take_clearing(dchannel, &event->hangup);
    case PRI_EVENT_NOTIFY:
        return take_plain(dchannel, EVENT_NOTIFY, event->notify.call, event->notify.channel, event->notify.info,
                          event->notify.subcmds);
    case PRI_EVENT_FACILITY:
        return take_plain(dchannel, EVENT_FACILITY, event->facility.call, event->facility.channel, 0,
                          event->facility.subcmds);
    case PRI_EVENT_RESTART:
        return take_channel(dchannel, EVENT_RESTART, event->restart.channel, 0);
    case PRI_EVENT_RESTART_ACK:
        return take_channel(dchannel, EVENT_RESTART_ACK, event->restartack.channel, 0);
    case PRI_EVENT_SERVICE:
        return take_channel(dchannel, EVENT_SERVICE, event->service.channel, event->service.changestatus);
    case PRI_EVENT_SERVICE_ACK:
        return take_channel(dchannel, EVENT_SERVICE_ACK, event->service_ack.channel, event->service_ack.changestatus);
    default: // hold, retrieve and the rest are never enabled
        return NULL;
    }
}

void translate_end(struct call *call) {
    struct event_buffer *events = &call->dchannel->pump->events;
    struct event_header header = pump_header(call->dchannel, EVENT_ENDED);
    header.handle = call->handle;
    header.channel = call->channel;
    header.a = call->clear_cause != NOT_GIVEN ? call->clear_cause : call->libpri_cause;
    header.b = call->clear_location | (int32_t)call->cleared_by << 8;
    header.c = (int32_t)call->moments;
    event_open(events, &header);
    event_octets(events, call->timeline, call->moments * sizeof call->timeline[0]);
    event_close(events);
}
