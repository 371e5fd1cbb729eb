# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.varlink.service`: what every varlink service tells of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dahdi_py.errors import DahdiPyError
from dahdi_py.wire.connection import Request
from dahdi_py.wire.dispatch import Handler
from dahdi_py.wire.idl import ERRORS, describe, own_errors
from dahdi_py.wire.interface import Empty, Interface, Method, Record
from dahdi_py.wire.interface import Request as Parameters
from dahdi_py.wire.refusals import VARLINK_ERRORS, InterfaceNotFound


class Info(Record):
    """Who the service is, and the interfaces it has."""

    vendor: str
    product: str
    version: str
    url: str
    interfaces: list[str]


class DescriptionRequest(Parameters):
    """An interface by name."""

    interface: str


class Description(Record):
    """An interface's `.varlink` text."""

    description: str


INTERFACE = Interface(
    "org.varlink.service",
    "What every varlink service tells of itself.",
    (
        Method("GetInfo", Empty, Info, doc="The service and its interfaces."),
        Method("GetInterfaceDescription", DescriptionRequest, Description, doc="An interface's description."),
    ),
)


def _errors(interface: Interface) -> Iterable[type[DahdiPyError]]:
    if interface is INTERFACE:
        return VARLINK_ERRORS
    return own_errors() if interface is ERRORS else ()


def handlers(interfaces: Mapping[str, Interface], version: str) -> dict[str, Handler]:
    """The handlers of `INTERFACE` for a service that has these interfaces."""

    def get_info(request: Request, _parameters: Empty) -> None:
        request.reply(
            Info(vendor="dahdi-py", product="dahdi-py", version=version, url="", interfaces=sorted(interfaces))
        )

    def get_description(request: Request, parameters: DescriptionRequest) -> None:
        interface = interfaces.get(parameters.interface)
        if interface is None:
            raise InterfaceNotFound(f"no interface {parameters.interface!r} here", interface=parameters.interface)
        request.reply(Description(description=describe(interface, _errors(interface))))

    return {"GetInfo": get_info, "GetInterfaceDescription": get_description}
