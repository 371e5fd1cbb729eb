# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from dahdi_py import errors
from dahdi_py.cli import exits
from dahdi_py.wire import refusals


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.NotFound, 3), (errors.NoChannel, 4), (errors.ChannelBusy, 4), (errors.Glare, 4),
        (errors.OutOfService, 4), (errors.RoleMissing, 5), (errors.UntrustedMedia, 5), (errors.StaleToken, 5),
        (errors.WrongCallState, 5), (errors.Unreachable, 6), (errors.Timeout, 6), (errors.ConfigError, 1),
        (refusals.InvalidParameter, 2), (refusals.MethodNotFound, 2), (refusals.ProtocolError, 1),
        (errors.HostUnavailable, 1), (errors.UnknownRemoteError, 1), (errors.DeviceGone, 1),
    ],
)  # fmt: skip
def test_an_error_has_the_exit_code_of_its_kind(kind: type[errors.DahdiPyError], code: int) -> None:
    assert exits.of_error(kind("what went wrong")) == code


@pytest.mark.parametrize(
    ("answered", "cause", "code"),
    [(True, 16, 0), (True, 31, 0), (True, 41, 1), (False, 16, 1), (False, 17, 4), (False, 34, 4), (False, 1, 1)],
)
def test_a_finished_call_has_the_exit_code_of_its_end(answered: bool, cause: int, code: int) -> None:
    assert exits.of_call(answered, cause) == code
