/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dahdi.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>

static int request(int fd, unsigned long number, void *argument) {
    return ioctl(fd, number, argument) < 0 ? -errno : 0;
}

static int request_int(int fd, unsigned long number, int value) {
    return request(fd, number, &value);
}

/* What the kernel wrote into an int, or -errno. */
static int request_answer(int fd, unsigned long number, int value) {
    int result = request(fd, number, &value);
    return result < 0 ? result : value;
}

static int copy_name(char *to, size_t size, const char *name) {
    if (strlen(name) >= size)
        return -ENAMETOOLONG;
    strcpy(to, name);
    return 0;
}

int dahdi_getversion(int control, struct abi_version *version) {
    memset(version, 0, sizeof(*version));
    return request(control, ABI_GETVERSION, version);
}

int dahdi_spanstat(int control, int spanno, struct abi_span_status *status) {
    memset(status, 0, sizeof(*status));
    status->spanno = spanno;
    return request(control, ABI_SPANSTAT, status);
}

int dahdi_get_params(int control, int channo, struct abi_params *params) {
    memset(params, 0, sizeof(*params));
    params->channo = channo;
    return request(control, ABI_GET_PARAMS, params);
}

int dahdi_spanconfig(int control, int spanno, int line, int build_out, int sync) {
    struct abi_span_config config = {.spanno = spanno, .line = line, .build_out = build_out, .sync = sync};
    return request(control, ABI_SPANCONFIG, &config);
}

int dahdi_chanconfig(int control, int channo, int sigtype, int law) {
    struct abi_channel_config config = {.channo = channo, .sigtype = sigtype, .law = law, .master = channo};
    return request(control, ABI_CHANCONFIG, &config);
}

int dahdi_startup(int control, int spanno) {
    return request_int(control, ABI_STARTUP, spanno);
}

int dahdi_shutdown(int control, int spanno) {
    return request_int(control, ABI_SHUTDOWN, spanno);
}

int dahdi_maint(int control, int spanno, int command) {
    struct abi_maintenance maintenance = {.spanno = spanno, .command = command};
    return request(control, ABI_MAINT, &maintenance);
}

int dahdi_attach_echocan(int control, int channo, const char *name) {
    struct abi_echo_canceller canceller = {.channo = channo};
    int result = copy_name(canceller.name, sizeof(canceller.name), name);
    return result < 0 ? result : request(control, ABI_ATTACH_ECHOCAN, &canceller);
}

static int name_dynamic(struct abi_dynamic_span *span, const char *driver, const char *address) {
    int result = copy_name(span->driver, sizeof(span->driver), driver);
    return result < 0 ? result : copy_name(span->address, sizeof(span->address), address);
}

int dahdi_dynamic_create(int control, const char *driver, const char *address, int channels, int timing) {
    struct abi_dynamic_span span = {.channels = channels, .timing = timing};
    int result = name_dynamic(&span, driver, address);
    if (result == 0)
        result = request(control, ABI_DYNAMIC_CREATE, &span);
    return result < 0 ? result : span.spanno;
}

int dahdi_dynamic_destroy(int control, const char *driver, const char *address) {
    struct abi_dynamic_span span = {0};
    int result = name_dynamic(&span, driver, address);
    return result < 0 ? result : request(control, ABI_DYNAMIC_DESTROY, &span);
}

int dahdi_specify(int channel, int channo) {
    return request_int(channel, ABI_SPECIFY, channo);
}

int dahdi_channo(int channel) {
    return request_answer(channel, ABI_CHANNO, 0);
}

int dahdi_getevent(int channel) {
    return request_answer(channel, ABI_GETEVENT, 0);
}

int dahdi_iomux(int channel, int wanted) {
    return request_answer(channel, ABI_IOMUX, wanted);
}

int dahdi_get_bufinfo(int channel, struct abi_buffers *buffers) {
    memset(buffers, 0, sizeof(*buffers));
    return request(channel, ABI_GET_BUFINFO, buffers);
}

int dahdi_set_bufinfo(int channel, int policy, int count, int size) {
    struct abi_buffers buffers = {.tx_policy = policy, .rx_policy = policy, .count = count, .size = size};
    return request(channel, ABI_SET_BUFINFO, &buffers);
}

int dahdi_audiomode(int channel, int on) {
    return request_int(channel, ABI_AUDIOMODE, on);
}

int dahdi_echocancel(int channel, int taps) {
    return request_int(channel, ABI_ECHOCANCEL, taps);
}

int dahdi_setlaw(int channel, int law) {
    return request_int(channel, ABI_SETLAW, law);
}

int dahdi_getgains(int channel, struct abi_gains *gains) {
    memset(gains, 0, sizeof(*gains));
    return request(channel, ABI_GETGAINS, gains);
}

int dahdi_setgains(int channel, const unsigned char rx[256], const unsigned char tx[256]) {
    struct abi_gains gains = {0};
    memcpy(gains.rx, rx, sizeof(gains.rx));
    memcpy(gains.tx, tx, sizeof(gains.tx));
    return request(channel, ABI_SETGAINS, &gains);
}

int dahdi_flush(int channel, int what) {
    return request_int(channel, ABI_FLUSH, what);
}

int dahdi_buffer_events(int channel, int on) {
    return request_int(channel, ABI_BUFFER_EVENTS, on);
}

int dahdi_setconf(int channel, int channo, int number, int mode) {
    struct abi_conference conference = {.channo = channo, .number = number, .mode = mode};
    return request(channel, ABI_SETCONF, &conference);
}

int dahdi_hdlcrawmode(int channel, int on) {
    return request_int(channel, ABI_HDLCRAWMODE, on);
}

int dahdi_hdlcfcsmode(int channel, int on) {
    return request_int(channel, ABI_HDLCFCSMODE, on);
}

int dahdi_hdlc_rate(int channel, int kbit) {
    return request_int(channel, ABI_HDLC_RATE, kbit);
}

int dahdi_loopback(int channel, int on) {
    return request_int(channel, ABI_LOOPBACK, on);
}

static int arm(int ticker, struct timespec first, int seconds) {
    struct itimerspec when = {.it_value = first, .it_interval = {.tv_sec = seconds}};
    return timerfd_settime(ticker, 0, &when, NULL) < 0 ? -errno : 0;
}

int dahdi_ticker(int seconds) {
    int ticker = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (ticker < 0)
        return -errno;
    /* A fresh descriptor of our own and positive times: arming cannot fail. */
    arm(ticker, (struct timespec){.tv_sec = seconds}, seconds);
    return ticker;
}

int dahdi_ticker_now(int ticker, int seconds) {
    return arm(ticker, (struct timespec){.tv_nsec = 1}, seconds);
}
