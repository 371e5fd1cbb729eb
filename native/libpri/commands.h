// SPDX-License-Identifier: GPL-2.0-or-later
// Commands come packed, are checked here, and only then reach libpri.
#ifndef PUMP_COMMANDS_H
#define PUMP_COMMANDS_H

#include <stddef.h>
#include <stdint.h>

struct pump;

enum command_kind {
    COMMAND_SETUP = 1,
    COMMAND_SETUP_ACK,
    COMMAND_PROCEEDING,
    COMMAND_ALERTING,
    COMMAND_PROGRESS,
    COMMAND_ANSWER,
    COMMAND_CONNECT_ACK,
    COMMAND_HANGUP,
    COMMAND_INFORMATION,
    COMMAND_KEYPAD,
    COMMAND_NOTIFY,
    COMMAND_DESTROY,
    COMMAND_RESTART,
    COMMAND_SERVICE,
};

enum command_failure {
    FAILED_STALE_HANDLE = 1,
    FAILED_HANDLE_IN_USE,
    FAILED_WRONG_STATE,
    FAILED_DCHANNEL_DOWN,
    FAILED_CONGESTED,
    FAILED_NO_DCHANNEL,
    FAILED_MALFORMED,
    FAILED_BY_LIBPRI,
};

enum setup_flags { SETUP_EXCLUSIVE = 1, SETUP_COMPLETE = 2, SETUP_NOT_ISDN = 4, SETUP_REVERSE_CHARGE = 8 };

// 32 octets; `size` counts header and fields. For SETUP: a = bearer | layer 1 << 8 | flags << 16,
// b = redirecting reason | original reason << 8 | count << 16.
struct command_header {
    uint16_t kind, size;
    uint32_t dchannel;
    uint64_t handle;
    int32_t channel, a, b, c;
};

void commands_execute(struct pump *pump, const uint8_t *commands, size_t length);

#endif
