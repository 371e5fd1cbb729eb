// SPDX-License-Identifier: GPL-2.0-or-later
#include "elastic.h"

#include <string.h>

#define HALF_FULL 1
#define ROOM      3 /* two frames, and one on its way in while another is on its way out */

void elastic_init(struct elastic *store) {
    memset(store, 0, sizeof *store);
    elastic_centre(store);
}

void elastic_centre(struct elastic *store) {
    store->fill = HALF_FULL;
    store->drift = 0;
    memset(store->kept, 0xFF, sizeof store->kept);
}

/* -1: a frame is to be left out, 1: given twice. */
static int slip(struct elastic *store, size_t n_in, size_t n_out) {
    if (store->drift >= ELASTIC_FRAME_PPB || store->fill + n_in > n_out + ROOM) {
        store->drift -= ELASTIC_FRAME_PPB;
        store->left_out++;
        return -1;
    }
    if (store->drift <= -ELASTIC_FRAME_PPB || store->fill + n_in < n_out) {
        store->drift += ELASTIC_FRAME_PPB;
        store->repeated++;
        return 1;
    }
    return 0;
}

size_t elastic_read(struct elastic *store, elastic_rows rows, uint32_t wanted, size_t n_in, size_t n_out,
                    int64_t drift) {
    store->drift += drift;
    int slipped = slip(store, n_in, n_out);
    size_t oldest = ELASTIC_MARGIN - store->fill;
    for (uint32_t left = wanted; left; left &= left - 1) {
        int i = __builtin_ctz(left);
        uint8_t *row = rows[i];
        memcpy(row + ELASTIC_MARGIN - sizeof store->kept[i], store->kept[i], sizeof store->kept[i]);
        memcpy(store->kept[i], row + ELASTIC_MARGIN + n_in - sizeof store->kept[i], sizeof store->kept[i]);
        if (slipped > 0)
            row[oldest - 1] = row[oldest];
    }
    store->fill = store->fill + n_in - n_out + (size_t)slipped;
    return oldest - (size_t)slipped;
}
