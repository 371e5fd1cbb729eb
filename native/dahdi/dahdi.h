/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One function an ioctl. Each returns 0 or the value asked for, or -errno; each zeroes what it hands to the kernel.
 *
 * `control` is a descriptor of /dev/dahdi/ctl, `channel` one of /dev/dahdi/channel after dahdi_specify. There is no
 * function for the request that waits for writes: it can wait for ever; dahdi_iomux does that safely.
 */
#ifndef DAHDI_PY_DAHDI_H
#define DAHDI_PY_DAHDI_H

#include "abi.h"

int dahdi_getversion(int control, struct abi_version *version);
int dahdi_spanstat(int control, int spanno, struct abi_span_status *status);
int dahdi_get_params(int control, int channo, struct abi_params *params);
int dahdi_spanconfig(int control, int spanno, int line, int build_out, int sync);
int dahdi_chanconfig(int control, int channo, int sigtype, int law);
int dahdi_startup(int control, int spanno);
int dahdi_shutdown(int control, int spanno);
int dahdi_maint(int control, int spanno, int command);
int dahdi_attach_echocan(int control, int channo, const char *name);
int dahdi_dynamic_create(int control, const char *driver, const char *address, int channels, int timing);
int dahdi_dynamic_destroy(int control, const char *driver, const char *address);

int dahdi_specify(int channel, int channo);
int dahdi_channo(int channel);
int dahdi_getevent(int channel);
int dahdi_iomux(int channel, int wanted);
int dahdi_get_bufinfo(int channel, struct abi_buffers *buffers);
int dahdi_set_bufinfo(int channel, int policy, int count, int size);
int dahdi_audiomode(int channel, int on);
int dahdi_echocancel(int channel, int taps);
int dahdi_setlaw(int channel, int law);
int dahdi_getgains(int channel, struct abi_gains *gains);
int dahdi_setgains(int channel, const unsigned char rx[256], const unsigned char tx[256]);
int dahdi_flush(int channel, int what);
int dahdi_buffer_events(int channel, int on);
int dahdi_setconf(int channel, int channo, int number, int mode);
int dahdi_hdlcrawmode(int channel, int on);
int dahdi_hdlcfcsmode(int channel, int on);
int dahdi_hdlc_rate(int channel, int kbit);
int dahdi_loopback(int channel, int on);

/* A timer descriptor, readable each `seconds`; `dahdi_ticker_now` makes it readable at once, then as before. */
int dahdi_ticker(int seconds);
int dahdi_ticker_now(int ticker, int seconds);

#endif
