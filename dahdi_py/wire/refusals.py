# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors of the protocol itself: varlink's own names, and what ends a connection.

DahdiPyError
├── VarlinkError                `org.varlink.service`, as varlink defines them plus a message
│   ├── InterfaceNotFound       field interface
│   ├── MethodNotFound          field method
│   ├── InvalidParameter        field parameter
│   └── ExpectedMore            the method streams: call it with `more`
├── ProtocolError               what came is no varlink message; the connection is closed
│   └── TooLarge                a message above the limit; fields limit
└── SocketBusy                  another process serves this socket; fields path, pid
"""

from __future__ import annotations

from dahdi_py.errors import BY_CODE, DahdiPyError


class VarlinkError(DahdiPyError):
    """A call that the service cannot take as it was made."""

    code = "org.varlink.service.MethodNotImplemented"


class InterfaceNotFound(VarlinkError):
    """No such interface here; field interface."""

    code = "org.varlink.service.InterfaceNotFound"


class MethodNotFound(VarlinkError):
    """The interface has no such method; field method."""

    code = "org.varlink.service.MethodNotFound"


class InvalidParameter(VarlinkError):
    """A parameter is missing, unknown or of the wrong type; field parameter."""

    code = "org.varlink.service.InvalidParameter"


class ExpectedMore(VarlinkError):
    """The method answers more than once and was called without `more`."""

    code = "org.varlink.service.ExpectedMore"


class ProtocolError(DahdiPyError):
    """What came is no varlink message; the connection is closed."""

    code = "org.dahdipy.ProtocolError"


class TooLarge(ProtocolError):
    """A message above the limit; field limit, octets."""

    code = "org.dahdipy.TooLarge"


class SocketBusy(DahdiPyError):
    """Another process serves this socket; fields path, pid."""

    code = "org.dahdipy.SocketBusy"


VARLINK_ERRORS: tuple[type[DahdiPyError], ...] = (
    VarlinkError,
    InterfaceNotFound,
    MethodNotFound,
    InvalidParameter,
    ExpectedMore,
)
WIRE_ERRORS: tuple[type[DahdiPyError], ...] = (ProtocolError, TooLarge, SocketBusy)

BY_CODE.update({cls.code: cls for cls in VARLINK_ERRORS + WIRE_ERRORS})
