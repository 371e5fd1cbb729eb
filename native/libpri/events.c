// SPDX-License-Identifier: GPL-2.0-or-later
#include "events.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 16384, FIELD_OCTETS_MAX = 255 };

void event_octets(struct event_buffer *buffer, const void *octets, size_t length) {
    if (buffer->length + length > buffer->capacity) {
        size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
        while (capacity < buffer->length + length)
            capacity *= 2;
        uint8_t *larger = realloc(buffer->octets, capacity);
        if (!larger)
            abort();
        buffer->octets = larger;
        buffer->capacity = capacity;
    }
    memcpy(buffer->octets + buffer->length, octets, length);
    buffer->length += length;
}

void event_open(struct event_buffer *buffer, const struct event_header *header) {
    buffer->open = buffer->length;
    event_octets(buffer, header, sizeof *header);
}

void event_field(struct event_buffer *buffer, enum field_tag tag, uint8_t a, uint8_t b, const void *octets,
                 size_t length) {
    if (length > FIELD_OCTETS_MAX)
        length = FIELD_OCTETS_MAX;
    struct field_header header = {(uint8_t)tag, (uint8_t)length, a, b};
    event_octets(buffer, &header, sizeof header);
    event_octets(buffer, octets, length);
}

void event_close(struct event_buffer *buffer) {
    uint16_t size = (uint16_t)(buffer->length - buffer->open);
    memcpy(buffer->octets + buffer->open + offsetof(struct event_header, size), &size, sizeof size);
}

void event_put(struct event_buffer *buffer, const struct event_header *header) {
    event_open(buffer, header);
    event_close(buffer);
}
