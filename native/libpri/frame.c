// SPDX-License-Identifier: GPL-2.0-or-later
#include "frame.h"

// Q.921 3.6, unnumbered control fields without the P/F bit.
enum { U_SABME = 0x6f, U_DM = 0x0f, U_UI = 0x03, U_DISC = 0x43, U_UA = 0x63, U_FRMR = 0x87, U_XID = 0xaf };
enum { U_POLL_FINAL = 0x10 };

static enum lapd_kind unnumbered_kind(uint8_t control) {
    switch (control & ~U_POLL_FINAL) {
    case U_SABME:
        return LAPD_SABME;
    case U_DM:
        return LAPD_DM;
    case U_UI:
        return LAPD_UI;
    case U_DISC:
        return LAPD_DISC;
    case U_UA:
        return LAPD_UA;
    case U_FRMR:
        return LAPD_FRMR;
    case U_XID:
        return LAPD_XID;
    default:
        return LAPD_OTHER;
    }
}

struct lapd_frame lapd_parse(const uint8_t *octets, int length) {
    struct lapd_frame frame = {.command_bit = (octets[0] & 0x02) != 0};
    uint8_t control = octets[2];
    if ((control & 0x03) == 0x03) {
        frame.kind = unnumbered_kind(control);
        frame.poll_final = (control & U_POLL_FINAL) != 0;
        frame.information = octets + 3;
        frame.information_length = length - 3;
        return frame;
    }
    frame.kind = control & 0x01 ? LAPD_S : LAPD_I;
    if (length >= LAPD_HEADER) {
        frame.send_number = control >> 1;
        frame.receive_number = octets[3] >> 1;
        frame.poll_final = (octets[3] & 0x01) != 0;
        frame.information = octets + LAPD_HEADER;
        frame.information_length = length - LAPD_HEADER;
    }
    return frame;
}

static bool elements_fit(const uint8_t *octets, int length) {
    int at = 0;
    while (at < length) {
        if (octets[at] & 0x80)
            at += 1;
        else if (at + 1 < length)
            at += 2 + octets[at + 1];
        else
            return false;
    }
    return at == length;
}

bool q931_parse(const uint8_t *octets, int length, struct q931_message *message) {
    *message = (struct q931_message){0};
    if (length < 2)
        return false;
    message->protocol = octets[0];
    message->reference_length = octets[1] & 0x0f;
    if ((octets[1] & 0xf0) || message->reference_length < 1 || message->reference_length > 2)
        return false;
    if (length < 3 + message->reference_length)
        return false;
    message->from_destination = (octets[2] & 0x80) != 0;
    message->reference = octets[2] & 0x7f;
    if (message->reference_length == 2)
        message->reference = (uint16_t)(message->reference << 8 | octets[3]);
    message->type = octets[2 + message->reference_length];
    message->elements = octets + 3 + message->reference_length;
    message->elements_length = length - 3 - message->reference_length;
    message->elements_fit = elements_fit(message->elements, message->elements_length);
    return true;
}

struct q931_element q931_find(const struct q931_message *message, uint8_t identifier) {
    int at = 0, codeset = 0, next_codeset;
    if (!message->elements_fit)
        return (struct q931_element){0};
    for (int current = 0; at < message->elements_length; current = next_codeset) {
        const uint8_t *element = message->elements + at;
        next_codeset = codeset;
        if ((element[0] & 0xf8) == 0x90) // locking shift
            next_codeset = codeset = element[0] & 0x07;
        else if ((element[0] & 0xf8) == 0x98) // non-locking shift
            next_codeset = element[0] & 0x07;
        else if (current == 0 && element[0] == identifier)
            return (struct q931_element){element + 2, element[1]};
        at += element[0] & 0x80 ? 1 : 2 + element[1];
    }
    return (struct q931_element){0};
}

bool q931_cause(const struct q931_message *message, uint8_t *value, uint8_t *location) {
    struct q931_element cause = q931_find(message, Q931_IE_ID_CAUSE);
    if (!cause.content || cause.length < 2)
        return false;
    int at = cause.content[0] & 0x80 ? 1 : 2; // octet 3a is there if octet 3 is not the last of its group
    if (at >= cause.length)
        return false;
    *location = cause.content[0] & 0x0f;
    *value = cause.content[at] & 0x7f;
    return true;
}

bool q931_in_band(const struct q931_message *message) {
    struct q931_element progress = q931_find(message, Q931_IE_ID_PROGRESS);
    return progress.content && progress.length >= 2 && (progress.content[1] & 0x7f) == 8;
}
