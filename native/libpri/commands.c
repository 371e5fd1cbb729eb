// SPDX-License-Identifier: GPL-2.0-or-later
#include "commands.h"

#include <string.h>

#include "pump.h"
#include "setup.h"

enum { UNSENT_SETUPS_MAX = 64, DIGITS_MAX = 32, CHANNEL_MASK = 0x1ffff, CAUSE_MAX = 127, CAUSE_NO_CHANNEL = 34 };

// How far an incoming call's answers have come; they may only move up (Q.931 5.2).
enum progress_rank { RANK_NONE, RANK_SETUP_ACK, RANK_PROCEEDING, RANK_ALERTING, RANK_CONNECT };

static void fail(struct pump *pump, const struct command_header *command, enum command_failure reason) {
    struct event_header header = {.kind = EVENT_COMMAND_FAILED, .dchannel = command->dchannel, .channel = -1};
    header.handle = command->handle;
    header.ns = clock_now(&pump->clock);
    header.a = command->kind;
    header.b = reason;
    event_put(&pump->events, &header);
}

static int execute_setup(struct dchannel *dchannel, const struct command_header *command, const uint8_t *fields) {
    struct call_table *calls = &dchannel->pump->calls;
    if (!command->handle || command->handle >= INCOMING_HANDLES || call_by_handle(calls, command->handle))
        return FAILED_HANDLE_IN_USE;
    if (!setup_fields_fit(command, fields) || command->channel < 0 || command->channel > CHANNEL_MASK)
        return FAILED_MALFORMED;
    if (!dchannel->link.established) // libpri would queue it and send it much later
        return FAILED_DCHANNEL_DOWN;
    if (dchannel->unsent_setups >= UNSENT_SETUPS_MAX) // the peer's window is shut; libpri's queue has no bound
        return FAILED_CONGESTED;
    q931_call *libpri_call = dchannel->call_count < CALLS_PER_DCHANNEL ? pri_new_call(dchannel->pri) : NULL;
    if (!libpri_call)
        return FAILED_BY_LIBPRI;
    int low_bits = 0, high_bits = pri_get_crv(dchannel->pri, libpri_call, &low_bits);
    struct call *call = call_new(calls, dchannel, true, (uint16_t)(high_bits << 3 | low_bits));
    if (call) {
        call_set_pointer(calls, call, libpri_call);
        call_set_handle(calls, call, command->handle);
        call->channel = command->channel;
        if (setup_send(dchannel->pri, libpri_call, command, fields))
            return 0;
        call_retire(calls, call);
    }
    pri_destroycall(dchannel->pri, libpri_call);
    return FAILED_BY_LIBPRI;
}

static bool advance(struct call *call, enum progress_rank rank) {
    if (call->outgoing || call->progress_rank >= rank)
        return false;
    call->progress_rank = (uint8_t)rank;
    return true;
}

// An incoming call we have not answered yet is refused by RELEASE COMPLETE (Q.931 5.3.2). libpri does so for a few
// causes and for the others sends nothing at all: it is given one of the few, and the frame gets the cause that is
// meant.
static int refuse(struct call *call, int cause) {
    struct dchannel *dchannel = call->dchannel;
    if (dchannel->patch_count == CAUSE_PATCHES)
        memmove(dchannel->patches, dchannel->patches + 1, --dchannel->patch_count * sizeof dchannel->patches[0]);
    dchannel->patches[dchannel->patch_count++] = (struct cause_patch){call->reference, (uint8_t)cause};
    return pri_hangup(dchannel->pri, call->libpri_call, CAUSE_NO_CHANNEL);
}

static int execute_hangup(struct call *call, int cause) {
    if (cause < 1 || cause > CAUSE_MAX)
        return FAILED_MALFORMED;
    if (call->hung_up) // hanging up twice would skip the wait for RELEASE
        return 0;
    call->hung_up = true;
    if (!call->outgoing && call->progress_rank == RANK_NONE && !call->clearing)
        return refuse(call, cause) == 0 ? 0 : FAILED_BY_LIBPRI;
    return pri_hangup(call->dchannel->pri, call->libpri_call, cause) == 0 ? 0 : FAILED_BY_LIBPRI;
}

static int send_digits(struct call *call, const struct command_header *command, const uint8_t *octets) {
    struct pri *pri = call->dchannel->pri;
    size_t length = command->size - sizeof *command;
    char digits[DIGITS_MAX + 1] = {0};
    if (length < 1 || length > DIGITS_MAX || memchr(octets, '\0', length))
        return FAILED_MALFORMED;
    memcpy(digits, octets, length);
    if (command->kind == COMMAND_KEYPAD)
        return pri_keypad_facility(pri, call->libpri_call, digits) == 0 ? 0 : FAILED_BY_LIBPRI;
    for (size_t i = 0; i < length; i++)
        if (pri_information(pri, call->libpri_call, digits[i]) != 0)
            return FAILED_BY_LIBPRI;
    return 0;
}

static int send_progress(struct call *call, const struct command_header *command) {
    struct pri *pri = call->dchannel->pri;
    if (call->outgoing || call->progress_rank >= RANK_CONNECT || command->b < 0 || command->b > CAUSE_MAX)
        return FAILED_WRONG_STATE;
    if (call->progress_rank < RANK_PROCEEDING)
        call->progress_rank = RANK_PROCEEDING; // libpri sends CALL PROCEEDING before it
    return command->b ? pri_progress_with_cause(pri, call->libpri_call, command->channel, command->a, command->b)
                      : pri_progress(pri, call->libpri_call, command->channel, command->a);
}

static int execute_on_call(struct call *call, const struct command_header *command, const uint8_t *fields) {
    struct pri *pri = call->dchannel->pri;
    q931_call *libpri_call = call->libpri_call;
    if (command->kind == COMMAND_HANGUP)
        return execute_hangup(call, command->a);
    if (command->kind == COMMAND_DESTROY) {
        pri_destroycall(pri, libpri_call);
        return 0;
    }
    if (call->clearing || call->hung_up)
        return FAILED_WRONG_STATE;
    if (command->channel < 0 || command->channel > CHANNEL_MASK)
        return FAILED_MALFORMED;
    switch (command->kind) {
    case COMMAND_SETUP_ACK:
        return advance(call, RANK_SETUP_ACK) ? pri_setup_ack(pri, libpri_call, command->channel, command->b, command->a)
                                             : FAILED_WRONG_STATE;
    case COMMAND_PROCEEDING:
        return advance(call, RANK_PROCEEDING) ? pri_proceeding(pri, libpri_call, command->channel, command->a)
                                              : FAILED_WRONG_STATE;
    case COMMAND_ALERTING:
        return advance(call, RANK_ALERTING) ? pri_acknowledge(pri, libpri_call, command->channel, command->a)
                                            : FAILED_WRONG_STATE;
    case COMMAND_PROGRESS:
        return send_progress(call, command);
    case COMMAND_ANSWER:
        return advance(call, RANK_CONNECT) ? pri_answer(pri, libpri_call, command->channel, command->a)
                                           : FAILED_WRONG_STATE;
    case COMMAND_CONNECT_ACK:
        return call->outgoing ? pri_connect_ack(pri, libpri_call, command->channel) : FAILED_WRONG_STATE;
    case COMMAND_INFORMATION:
    case COMMAND_KEYPAD:
        return send_digits(call, command, fields);
    case COMMAND_NOTIFY:
        return pri_notify(pri, libpri_call, command->channel, command->a);
    default:
        return FAILED_MALFORMED;
    }
}

static int execute_on_dchannel(struct dchannel *dchannel, const struct command_header *command) {
    if (!dchannel->link.established)
        return FAILED_DCHANNEL_DOWN;
    int channel = command->channel & CHANNEL_MASK;
    if (command->kind == COMMAND_RESTART)
        return pri_reset(dchannel->pri, channel);
    return dchannel->service_messages
               ? pri_maintenance_service(dchannel->pri, channel >> 8 & 0x7f, channel & 0xff, command->a)
               : FAILED_WRONG_STATE;
}

static void execute(struct pump *pump, const struct command_header *command, const uint8_t *fields) {
    struct call *call = NULL;
    struct dchannel *dchannel = pump_dchannel(pump, command->dchannel);
    bool for_call = command->kind > COMMAND_SETUP && command->kind <= COMMAND_DESTROY;
    int failure;
    if (for_call && !(call = call_by_handle(&pump->calls, command->handle)))
        failure = FAILED_STALE_HANDLE;
    else if (for_call) {
        dchannel = call->dchannel;
        failure = execute_on_call(call, command, fields);
    } else if (!dchannel)
        failure = FAILED_NO_DCHANNEL;
    else if (command->kind == COMMAND_SETUP)
        failure = execute_setup(dchannel, command, fields);
    else
        failure = execute_on_dchannel(dchannel, command);
    if (failure)
        fail(pump, command, failure < 0 ? FAILED_BY_LIBPRI : (enum command_failure)failure);
    if (dchannel)
        pump_settle(dchannel, call);
}

void commands_execute(struct pump *pump, const uint8_t *commands, size_t length) {
    struct command_header command;
    for (size_t at = 0; length - at >= sizeof command; at += command.size) {
        memcpy(&command, commands + at, sizeof command);
        if (command.size < sizeof command || command.size > length - at) {
            fail(pump, &command, FAILED_MALFORMED);
            return;
        }
        execute(pump, &command, commands + at + sizeof command);
    }
}
