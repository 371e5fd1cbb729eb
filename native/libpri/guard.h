// SPDX-License-Identifier: GPL-2.0-or-later
// The guard in front of libpri. Only what is invalid at layer 2 is dropped. A message that libpri must not see loses
// its content instead: dropping its I frame would leave V(R) behind, and the peer would repeat it until it resets the
// link.
#ifndef PUMP_GUARD_H
#define PUMP_GUARD_H

#include "dchannel.h"

enum { GUARD_PASS = -1 };

// GUARD_PASS, or the counter of the reason to drop the frame (Q.921 2.9, 3.2, 3.3). `length` is without FCS.
int guard_layer2(const struct dchannel *dchannel, const uint8_t *octets, int length, struct lapd_frame *frame);

// GUARD_PASS, or the counter of the reason to take the message's content away (Q.931 5.8). `call` is the live call of
// its call reference, if any.
int guard_layer3(struct dchannel *dchannel, const struct lapd_frame *frame, struct q931_message *message,
                 struct call **call);

#endif
