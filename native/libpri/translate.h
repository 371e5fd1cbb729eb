// SPDX-License-Identifier: GPL-2.0-or-later
// libpri's one event slot, copied out at once into the packed events, with our handle in place of its pointer.
#ifndef PUMP_TRANSLATE_H
#define PUMP_TRANSLATE_H

#include <libpri.h>

#include "dchannel.h"

struct call;

// The call the event belongs to, which may be over now; NULL if none. `call` is the one of the frame just run, if any.
struct call *translate(struct dchannel *dchannel, pri_event *event, struct call *call);

// Packs the end of a call with its timeline.
void translate_end(struct call *call);

#endif
