// SPDX-License-Identifier: GPL-2.0-or-later
/* A pair of sockets whose queues hold a number of blocks, as a DAHDI channel's buffers do. */
#ifndef DAHDI_PY_DESCRIPTOR_H
#define DAHDI_PY_DESCRIPTOR_H

#include <stddef.h>

/* ends[0] is ours, ends[1] the client's; both non-blocking and close-on-exec. Each way holds *depth blocks of `block`
 * octets; the kernel's floor (4608 octets with its overhead) can make that more, and *depth says so. 0 or -errno. */
int descriptor_pair(int ends[2], size_t block, size_t *depth);

#endif
