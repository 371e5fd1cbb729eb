// SPDX-License-Identifier: GPL-2.0-or-later
#include "link.h"

#include "pump.h"

enum { MODULUS_MASK = 127 };

bool link_is_command(const struct dchannel *dchannel, const struct lapd_frame *frame) {
    return frame->command_bit != dchannel->network;
}

bool link_acknowledges(const struct link_observer *link, uint8_t receive_number) {
    uint8_t outstanding = (link->send_state - link->acknowledged) & MODULUS_MASK;
    return ((receive_number - link->acknowledged) & MODULUS_MASK) <= outstanding;
}

bool link_in_sequence(const struct dchannel *dchannel, const struct lapd_frame *frame) {
    const struct link_observer *link = &dchannel->link;
    return link->established && frame->send_number == link->receive_state &&
           link_acknowledges(link, frame->receive_number);
}

static void set_established(struct dchannel *dchannel, bool established) {
    dchannel->link = (struct link_observer){.established = established};
}

void link_observe_in(struct dchannel *dchannel, const struct lapd_frame *frame) {
    struct link_observer *link = &dchannel->link;
    switch (frame->kind) {
    case LAPD_I:
        if (link_in_sequence(dchannel, frame))
            link->receive_state = (link->receive_state + 1) & MODULUS_MASK;
        // fall through
    case LAPD_S:
        if (link->established && link_acknowledges(link, frame->receive_number))
            link->acknowledged = frame->receive_number;
        break;
    case LAPD_SABME:
        link->peer_sabme = link_is_command(dchannel, frame);
        break;
    case LAPD_DISC:
        link->peer_sabme = false;
        break;
    case LAPD_UA:
        if (link->establishing && frame->poll_final && !link_is_command(dchannel, frame))
            set_established(dchannel, true);
        break;
    default:
        break;
    }
}

void link_confirm(struct dchannel *dchannel) {
    // Between two rounds of SABME libpri waits for no UA: the peer's SABME brings the link up by itself then.
    // It has sent what waited for that before it says so: the numbers count from our SABME on.
    struct link_observer *link = &dchannel->link;
    if (!link->established)
        link->establishing = link->peer_sabme = false;
    link->established = true;
}

bool link_observe_out(struct dchannel *dchannel, const struct lapd_frame *frame) {
    struct link_observer *link = &dchannel->link;
    bool first = false;
    switch (frame->kind) {
    case LAPD_I:
        first = frame->send_number == link->send_state;
        if (first)
            link->send_state = (link->send_state + 1) & MODULUS_MASK;
        // fall through
    case LAPD_S:
        link->receive_state = frame->receive_number;
        break;
    case LAPD_SABME: {
        bool peer_sabme = link->peer_sabme;
        set_established(dchannel, false);
        link->establishing = true;
        link->peer_sabme = peer_sabme;
        break;
    }
    case LAPD_UA:
        if (link->peer_sabme && link->established) {
            dchannel->counters[COUNT_link_resets]++;
            dchannel->queue_lost = true;
            pump_event(dchannel, EVENT_LINK_RESET);
        }
        // While our own SABME waits, the link is up only with its UA (Q.921 5.5.5.1).
        if (link->peer_sabme && link->establishing)
            link->peer_sabme = false;
        else
            set_established(dchannel, link->peer_sabme);
        break;
    case LAPD_DISC:
    case LAPD_DM:
        set_established(dchannel, false);
        break;
    default:
        break;
    }
    return first;
}
