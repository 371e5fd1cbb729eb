// SPDX-License-Identifier: GPL-2.0-or-later
// SETUP: libpri's request, built from a command's fields.
#ifndef PUMP_SETUP_H
#define PUMP_SETUP_H

#include <libpri.h>
#include <stdbool.h>

#include "commands.h"

// Sends SETUP for `call`. `fields` are the octets behind the command's header, already known to fit.
bool setup_send(struct pri *pri, q931_call *call, const struct command_header *command, const uint8_t *fields);

// True if each field's length stays inside the command and inside what libpri can hold.
bool setup_fields_fit(const struct command_header *command, const uint8_t *fields);

#endif
