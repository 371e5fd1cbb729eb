// SPDX-License-Identifier: GPL-2.0-or-later
// The observer of Q.921: what the frames of both directions show of the link's state.
#ifndef PUMP_LINK_H
#define PUMP_LINK_H

#include "dchannel.h"

// True if the frame's C/R bit says that the peer commands (Q.921 3.3.2).
bool link_is_command(const struct dchannel *dchannel, const struct lapd_frame *frame);

// True if N(R) acknowledges only what we sent (Q.921 5.8.2).
bool link_acknowledges(const struct link_observer *link, uint8_t receive_number);

// True if libpri will take this I frame's content: link up, N(S) = V(R), N(R) in range.
bool link_in_sequence(const struct dchannel *dchannel, const struct lapd_frame *frame);

void link_observe_in(struct dchannel *dchannel, const struct lapd_frame *frame);

// libpri says that the link is up, whatever its frames let us believe.
void link_confirm(struct dchannel *dchannel);

// True if an I frame goes out for the first time.
bool link_observe_out(struct dchannel *dchannel, const struct lapd_frame *frame);

#endif
