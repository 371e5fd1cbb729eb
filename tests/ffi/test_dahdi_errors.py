# SPDX-License-Identifier: GPL-2.0-or-later
"""An errno of DAHDI says what happened, in words that help."""

import errno
import grp
import os
from pathlib import Path

import pytest

from dahdi_py.errors import DeviceBusy, DeviceGone, DevicePermission, HardwareError, Unsupported
from dahdi_py.ffi import dahdi, dahdi_channel
from dahdi_py.ffi.dahdi_errors import failure, open_failure


@pytest.mark.parametrize(
    ("operation", "number", "kind"),
    [
        ("SPECIFY", errno.EBUSY, DeviceBusy),
        ("SPECIFY", errno.EINVAL, DeviceGone),
        ("SPANSTAT", errno.EINVAL, DeviceGone),
        ("STARTUP", errno.ENXIO, DeviceGone),
        ("GETEVENT", errno.ENODEV, DeviceGone),
        ("MAINT", errno.ENOSYS, Unsupported),
        ("TONEDETECT", errno.ENOTTY, Unsupported),
        ("ATTACH_ECHOCAN", errno.EINVAL, Unsupported),
        ("open", errno.EACCES, DevicePermission),
    ],
)
def test_an_errno_is_the_error_it_means(operation: str, number: int, kind: type[HardwareError]) -> None:
    error = failure(operation, number, "span 3")
    assert type(error) is kind
    assert (error.operation, error.errno) == (operation, number)
    assert error.message.startswith(f"{operation} of span 3: ")


def test_an_errno_without_special_meaning_is_a_hardware_error_in_words() -> None:
    error = failure("SET_BUFINFO", errno.EINVAL, "a channel")
    assert type(error) is HardwareError
    assert error.message == "SET_BUFINFO of a channel: Invalid argument"


def test_a_pending_event_has_a_name() -> None:
    assert failure("read", 500, "a channel").message == "read of a channel: an event is pending"


def test_a_missing_module_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        DeviceGone, match=r"no DAHDI: .*/ctl is not there; modprobe dahdi \(Debian: apt install dahdi-d"
    ):
        dahdi.open_control(tmp_path)
    with pytest.raises(DeviceGone, match="no DAHDI"):
        dahdi_channel.open_channel(tmp_path)


def test_a_refusal_names_the_group_that_may(tmp_path: Path) -> None:
    gid = os.getegid() or grp.getgrnam("daemon").gr_gid
    node = tmp_path / "ctl"
    node.touch()
    os.chown(node, -1, gid)
    node.chmod(0o660)
    error = open_failure(node, errno.EACCES)
    assert isinstance(error, DevicePermission)
    assert error.message.endswith(f"run as root or as a member of group {grp.getgrgid(gid).gr_name}")


def test_a_node_only_for_root_says_how_to_give_it_away(tmp_path: Path) -> None:
    node = tmp_path / "ctl"
    node.touch()
    node.chmod(0o600)
    assert "only root may; give it to group dahdi" in open_failure(node, errno.EACCES).message
    assert "member of group dahdi" in open_failure(tmp_path / "nothing", errno.EPERM).message


def test_a_device_that_is_none_refuses_every_request() -> None:
    """On /dev/null each function fails with ENOTTY: it asked the kernel, with the descriptor it was given."""
    fd = os.open("/dev/null", os.O_RDWR)
    table = bytes(range(256))
    try:
        for request in (
            lambda: dahdi.getversion(fd),
            lambda: dahdi.spanstat(fd, 1),
            lambda: dahdi.get_params(fd, 1),
            lambda: dahdi.spanconfig(fd, 1, dahdi.Line.ESF, build_out=0, sync=0),
            lambda: dahdi.chanconfig(fd, 1, dahdi.Signalling.CLEAR, "mulaw"),
            lambda: dahdi.startup(fd, 1),
            lambda: dahdi.shutdown(fd, 1),
            lambda: dahdi.maint(fd, 1, dahdi.Maintenance.NONE),
            lambda: dahdi.attach_echocan(fd, 1, "mg2"),
            lambda: dahdi.dynamic_create(fd, "loc", "1:0", 24),
            lambda: dahdi.dynamic_destroy(fd, "loc", "1:0"),
            lambda: dahdi_channel.specify(fd, 1),
            lambda: dahdi_channel.channo(fd),
            lambda: dahdi_channel.getevent(fd),
            lambda: dahdi_channel.drain_writes(fd),
            lambda: dahdi_channel.get_bufinfo(fd),
            lambda: dahdi_channel.set_bufinfo(fd, 8, 160),
            lambda: dahdi_channel.audiomode(fd, True),
            lambda: dahdi_channel.echocancel(fd, 128),
            lambda: dahdi_channel.setlaw(fd, "alaw"),
            lambda: dahdi_channel.getgains(fd),
            lambda: dahdi_channel.setgains(fd, table, table),
            lambda: dahdi_channel.flush(fd, dahdi_channel.Flush.READ),
            lambda: dahdi_channel.buffer_events(fd, False),
            lambda: dahdi_channel.hdlcrawmode(fd, True),
            lambda: dahdi_channel.hdlcfcsmode(fd, True),
            lambda: dahdi_channel.hdlc_rate(fd, 64),
            lambda: dahdi_channel.loopback(fd, True),
        ):
            with pytest.raises(Unsupported):
                request()
    finally:
        os.close(fd)


def test_names_too_long_for_the_kernel_are_refused() -> None:
    with pytest.raises(HardwareError, match="File name too long"):
        dahdi.dynamic_create(0, "loc", "1" * 40, 24)
    with pytest.raises(HardwareError, match="File name too long"):
        dahdi.attach_echocan(0, 1, "a" * 16)
    with pytest.raises(ValueError, match="256 octets"):
        dahdi_channel.setgains(0, b"", b"")


def test_the_ticker_wakes_at_once_when_told() -> None:
    fd = dahdi.ticker(3600)
    try:
        with pytest.raises(BlockingIOError):
            os.read(fd, 8)
        dahdi.ticker_now(fd, 3600)
        os.set_blocking(fd, True)
        assert int.from_bytes(os.read(fd, 8), "little") == 1
    finally:
        os.close(fd)
