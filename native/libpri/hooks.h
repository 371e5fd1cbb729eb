// SPDX-License-Identifier: GPL-2.0-or-later
// What stands between the line and libpri: each frame passes, is replaced, is dropped; and is observed.
#ifndef PUMP_HOOKS_H
#define PUMP_HOOKS_H

#include "dchannel.h"

struct call;

// False: libpri must not see the frame. `call` is the call the frame's message belongs to, if libpri will take it.
bool hook_frame_in(struct dchannel *dchannel, struct frame_slot *slot, struct call **call);

// `octets` is libpri's own copy, repeated from there: what is changed here stays changed in every repetition.
void hook_frame_out(struct dchannel *dchannel, uint8_t *octets, int length);

#endif
