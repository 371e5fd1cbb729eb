# SPDX-License-Identifier: GPL-2.0-or-later
"""The error tree: one class a thing that can go wrong, each with a stable wire name.

DahdiPyError                    never raised itself
├── ConfigError                 a setting is wrong: where, and what would be right
├── HardwareError               a device refused: operation, span, driver, errno
│   ├── Unsupported             the driver cannot do this
│   ├── DeviceGone              the card or span is no longer there
│   ├── DeviceBusy              somebody else holds it open
│   └── DevicePermission        we may not open it
├── AllocationError             no channel could be had
│   ├── NoChannel               the group or span has none free (cause 34)
│   ├── ChannelBusy             the one asked for is taken (cause 44)
│   ├── OutOfService            the one asked for is disabled or locked
│   ├── Glare                   the far end took it at the same moment
│   ├── QuotaExceeded           the client or group holds as many channels as it may
│   └── RateLimited             the client or group places calls faster than it may
├── SignallingError             a call cannot do what was asked
│   ├── WrongCallState          we asked for something illegal in this state
│   └── PeerViolation           the far end did
├── AccessError                 the caller may not
│   ├── RoleMissing             the uid lacks a role
│   ├── StaleToken              the lease this token names has ended
│   ├── NotOwner                the lease is another's
│   └── UntrustedMedia          the uid may not hold a kernel descriptor
├── LawMismatch                 two channels of different companding laws cannot be bridged
├── NotFound                    no such span, channel, group, call, host
├── HostUnavailable             the line host is not connected
└── Unreachable                 no daemon (or card) answers on the socket
    └── Timeout                 it answered too late

Local mistakes and the peer's are different classes.
"""

from __future__ import annotations

from typing import Any, ClassVar


class DahdiPyError(Exception):
    """The base of every error this project raises on purpose.

    Args:
        message: One sentence for a person: what was wrong, where, what would be right.
        fields: What a caller can act on; sent on the wire beside the message.
    """

    code: ClassVar[str] = "org.dahdipy.Failed"

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields: dict[str, Any] = fields

    def __getattr__(self, name: str) -> Any:
        fields = self.__dict__.get("fields", {})
        try:
            return fields[name]
        except KeyError:
            raise AttributeError(name) from None

    def parameters(self) -> dict[str, Any]:
        """The varlink error parameters: the message and every field."""
        return {"message": self.message, **self.fields}


class ConfigError(DahdiPyError):
    """A setting is wrong; `where` names its place, such as ``spans[2].framing``."""

    code = "org.dahdipy.ConfigError"


class HardwareError(DahdiPyError):
    """A device refused an operation; fields operation, span, driver, errno."""

    code = "org.dahdipy.HardwareError"


class Unsupported(HardwareError):
    """The driver cannot do this; fields operation, span, driver."""

    code = "org.dahdipy.Unsupported"


class DeviceGone(HardwareError):
    """The card or span is no longer there."""

    code = "org.dahdipy.DeviceGone"


class DeviceBusy(HardwareError):
    """Somebody holds the timeslot open."""

    code = "org.dahdipy.DeviceBusy"


class DevicePermission(HardwareError):
    """We may not open the device; the message names the group or mode that would do."""

    code = "org.dahdipy.DevicePermission"


class AllocationError(DahdiPyError):
    """No channel could be had; field cause (Q.850)."""

    code = "org.dahdipy.AllocationError"


class NoChannel(AllocationError):
    """The group or span has no free channel (cause 34)."""

    code = "org.dahdipy.NoChannel"


class ChannelBusy(AllocationError):
    """The channel asked for is taken (cause 44); field holder."""

    code = "org.dahdipy.ChannelBusy"


class OutOfService(AllocationError):
    """The channel asked for is disabled or locked; field reason."""

    code = "org.dahdipy.OutOfService"


class Glare(AllocationError):
    """The far end took the channel at the same moment: no method's answer, but `error` in the data of `call.ended`."""

    code = "org.dahdipy.Glare"


class QuotaExceeded(AllocationError):
    """A client or group holds as many channels as it may; fields limit, used, setting."""

    code = "org.dahdipy.QuotaExceeded"


class RateLimited(AllocationError):
    """A client or group places calls faster than it may; fields limit (a minute), retry_after_s, setting."""

    code = "org.dahdipy.RateLimited"


class SignallingError(DahdiPyError):
    """A call cannot do what was asked."""

    code = "org.dahdipy.SignallingError"


class WrongCallState(SignallingError):
    """The call's state does not allow this; fields call, state, operation."""

    code = "org.dahdipy.WrongCallState"


class PeerViolation(SignallingError):
    """The far end broke the protocol."""

    code = "org.dahdipy.PeerViolation"


class AccessError(DahdiPyError):
    """The caller may not do this."""

    code = "org.dahdipy.AccessError"


class RoleMissing(AccessError):
    """The caller's uid lacks a role; fields role, setting."""

    code = "org.dahdipy.RoleMissing"


class StaleToken(AccessError):
    """The lease this token names has ended; field token."""

    code = "org.dahdipy.StaleToken"


class NotOwner(AccessError):
    """The lease or call belongs to another connection and no token was shown."""

    code = "org.dahdipy.NotOwner"


class UntrustedMedia(AccessError):
    """An older line host has only kernel descriptors, for root and uids named in `setting`."""

    code = "org.dahdipy.UntrustedMedia"


class LawMismatch(DahdiPyError):
    """Two channels of different companding laws cannot be bridged: nothing is transcoded; fields a, b."""

    code = "org.dahdipy.LawMismatch"


class NotFound(DahdiPyError):
    """Nothing of that name exists; fields kind, name."""

    code = "org.dahdipy.NotFound"


class HostUnavailable(DahdiPyError):
    """The line host that owns this is not connected; field host."""

    code = "org.dahdipy.HostUnavailable"


class Unreachable(DahdiPyError):
    """Nobody answers on the socket; field path."""

    code = "org.dahdipy.Unreachable"


class Timeout(Unreachable):
    """The other side answered too late."""

    code = "org.dahdipy.Timeout"


class UnknownRemoteError(DahdiPyError):
    """An error name this version does not know; fields name, and what came with it."""

    code = "org.dahdipy.UnknownRemoteError"


def _leaves(cls: type[DahdiPyError]) -> list[type[DahdiPyError]]:
    found = [cls]
    for child in cls.__subclasses__():
        found += _leaves(child)
    return found


BY_CODE: dict[str, type[DahdiPyError]] = {cls.code: cls for cls in _leaves(DahdiPyError)}


def from_wire(name: str, parameters: dict[str, Any] | None) -> DahdiPyError:
    """The error of that wire name, with its message and fields.

    Args:
        name: Fully qualified varlink error name.
        parameters: The error's parameters as received, or None.
    """
    fields = {str(key): value for key, value in (parameters or {}).items()}
    message = str(fields.pop("message", "") or name)
    cls = BY_CODE.get(name)
    if cls is None:
        if not parameters or "message" not in parameters:
            detail = ", ".join(f"{key}={value!r}" for key, value in fields.items())
            message = f"{name} {detail}".strip()
        return UnknownRemoteError(message, name=name, **{k: v for k, v in fields.items() if k != "name"})
    return cls(message, **fields)
