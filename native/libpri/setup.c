// SPDX-License-Identifier: GPL-2.0-or-later
#include "setup.h"

#include <string.h>

#include "events.h"

enum { NUMBER_OCTETS = 63, SUBADDRESS_OCTETS = 20, TEXT_OCTETS = 131 };
enum { PRESENTATION_NONE = 0xff };

// What a SETUP may carry, as libpri wants it; strings it keeps by reference live here until it has been sent.
struct setup {
    char called[NUMBER_OCTETS + 1];
    int called_plan;
    bool has_called, has_calling, has_redirecting;
    struct pri_party_id calling;
    struct pri_party_subaddress called_subaddress;
    struct pri_party_redirecting redirecting;
    char keypad[NUMBER_OCTETS + 1];
    char user_user[TEXT_OCTETS + 1];
};

static size_t field_limit(uint8_t tag) {
    switch (tag) {
    case FIELD_USER_USER:
        return TEXT_OCTETS;
    case FIELD_CALLED_SUBADDRESS:
    case FIELD_CALLING_SUBADDRESS:
        return SUBADDRESS_OCTETS;
    default:
        return NUMBER_OCTETS;
    }
}

bool setup_fields_fit(const struct command_header *command, const uint8_t *fields) {
    size_t length = command->size - sizeof *command, at = 0;
    while (at < length) {
        struct field_header field;
        if (length - at < sizeof field)
            return false;
        memcpy(&field, fields + at, sizeof field);
        at += sizeof field;
        if (length - at < field.length || field.length > field_limit(field.tag))
            return false;
        at += field.length;
    }
    return true;
}

static void copy_text(char *text, const uint8_t *octets, size_t length) {
    memcpy(text, octets, length);
    text[length] = '\0';
}

static void set_number(struct pri_party_number *number, const struct field_header *field, const uint8_t *octets) {
    number->valid = 1;
    number->plan = field->a;
    number->presentation = field->b == PRESENTATION_NONE ? PRES_ALLOWED_USER_NUMBER_NOT_SCREENED : field->b;
    copy_text(number->str, octets, field->length);
}

static void set_name(struct pri_party_name *name, const struct field_header *field, const uint8_t *octets) {
    name->valid = 1;
    name->char_set = PRI_CHAR_SET_ISO8859_1;
    name->presentation = field->b == PRESENTATION_NONE ? PRI_PRES_ALLOWED : field->b;
    copy_text(name->str, octets, field->length);
}

static void set_subaddress(struct pri_party_subaddress *address, const struct field_header *field,
                           const uint8_t *octets) {
    address->valid = 1;
    address->type = field->a;
    address->odd_even_indicator = field->b;
    address->length = field->length;
    memcpy(address->data, octets, field->length);
}

static void take_field(struct setup *setup, const struct field_header *field, const uint8_t *octets) {
    switch (field->tag) {
    case FIELD_CALLED:
        setup->has_called = true;
        setup->called_plan = field->a;
        copy_text(setup->called, octets, field->length);
        break;
    case FIELD_CALLING:
        setup->has_calling = true;
        set_number(&setup->calling.number, field, octets);
        break;
    case FIELD_CALLING_NAME:
        setup->has_calling = true;
        set_name(&setup->calling.name, field, octets);
        break;
    case FIELD_CALLING_SUBADDRESS:
        setup->has_calling = true;
        set_subaddress(&setup->calling.subaddress, field, octets);
        break;
    case FIELD_CALLED_SUBADDRESS:
        set_subaddress(&setup->called_subaddress, field, octets);
        break;
    case FIELD_REDIRECTING:
        setup->has_redirecting = true;
        set_number(&setup->redirecting.from.number, field, octets);
        break;
    case FIELD_REDIRECTING_NAME:
        set_name(&setup->redirecting.from.name, field, octets);
        break;
    case FIELD_ORIGINAL_CALLED:
        set_number(&setup->redirecting.orig_called.number, field, octets);
        break;
    case FIELD_KEYPAD:
        copy_text(setup->keypad, octets, field->length);
        break;
    case FIELD_USER_USER:
        copy_text(setup->user_user, octets, field->length);
        break;
    default:
        break;
    }
}

static void take_fields(struct setup *setup, const struct command_header *command, const uint8_t *fields) {
    const uint8_t *end = fields + command->size - sizeof *command;
    while (fields < end) {
        struct field_header field;
        memcpy(&field, fields, sizeof field);
        take_field(setup, &field, fields + sizeof field);
        fields += sizeof field + field.length;
    }
}

static void fill_request(struct pri_sr *request, const struct command_header *command, struct setup *setup) {
    int bearer = command->a & 0xff, layer1 = command->a >> 8 & 0xff, flags = command->a >> 16;
    pri_sr_set_channel(request, command->channel, flags & SETUP_EXCLUSIVE, flags & SETUP_NOT_ISDN);
    pri_sr_set_bearer(request, bearer, layer1);
    if (setup->has_called)
        pri_sr_set_called(request, setup->called, setup->called_plan, (flags & SETUP_COMPLETE) != 0);
    if (setup->has_calling)
        pri_sr_set_caller_party(request, &setup->calling);
    if (setup->called_subaddress.valid)
        pri_sr_set_called_subaddress(request, &setup->called_subaddress);
    if (setup->has_redirecting) {
        setup->redirecting.reason = command->b & 0xff;
        setup->redirecting.orig_reason = command->b >> 8 & 0xff;
        setup->redirecting.count = command->b >> 16 & 0xff;
        pri_sr_set_redirecting_parties(request, &setup->redirecting);
    }
    if (setup->keypad[0])
        pri_sr_set_keypad_digits(request, setup->keypad);
    if (setup->user_user[0])
        pri_sr_set_useruser(request, setup->user_user);
    if (flags & SETUP_REVERSE_CHARGE)
        pri_sr_set_reversecharge(request, PRI_REVERSECHARGE_REQUESTED);
}

bool setup_send(struct pri *pri, q931_call *call, const struct command_header *command, const uint8_t *fields) {
    struct setup setup = {0};
    take_fields(&setup, command, fields);
    struct pri_sr *request = pri_sr_new();
    if (!request)
        return false;
    fill_request(request, command, &setup);
    bool sent = pri_setup(pri, call, request) == 0;
    pri_sr_free(request);
    return sent;
}
