# SPDX-License-Identifier: GPL-2.0-or-later
"""The methods a server knows, and what is wrong with a call that it cannot take."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from dahdi_py.wire.framing import NO_PARAMETERS, UNDECODABLE, CallMessage
from dahdi_py.wire.interface import Empty, Interface, Method
from dahdi_py.wire.refusals import ExpectedMore, InterfaceNotFound, InvalidParameter, MethodNotFound

Handler = Callable[[Any, Any], None]
"""Takes the `Request` and its parameters; answers by the request, now or later."""

_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>[^`]*)`)?$", re.DOTALL)
_FIELD = re.compile(r"^Object (?:missing required|contains unknown) field `(?P<field>[^`]*)`")
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_INT64 = range(-(1 << 63), 1 << 63)
"""Varlink's `int` has 64 bits; what is longer fits neither a database nor a C structure. Source: varlink.org, IDL."""
_EMPTY = Empty()


class Route:
    """One method that can be called: its description, handler and decoder."""

    __slots__ = ("_decode", "handler", "interface", "method", "name")

    def __init__(self, interface: Interface, method: Method, handler: Handler) -> None:
        self.interface = interface
        self.method = method
        self.handler = handler
        self.name = f"{interface.name}.{method.name}"
        self._decode = msgspec.json.Decoder(method.params).decode

    def parameters(self, call: CallMessage) -> Any:
        """The call's parameters, typed.

        Raises:
            InvalidParameter: One is missing, unknown or of the wrong type.
            ExpectedMore: The method streams and the call does not say `more`, or wants no answer at all.
        """
        if self.method.stream and (call.oneway or not call.more):
            instead = "with more and not oneway" if call.oneway else "with more"
            raise ExpectedMore(f"{self.name} answers more than once: call it {instead}")
        text = call.parameters
        if text is NO_PARAMETERS and self.method.params is Empty:
            return _EMPTY
        try:
            given = self._decode(text)
        except UNDECODABLE as error:
            given = self._without_nulls(text, error)
        if _LONG_NUMBER.search(text) and (where := _beyond_64_bits(msgspec.json.decode(text))) is not None:
            where = where.removeprefix(".")
            raise InvalidParameter(
                f"{self.name}: {where}: expected an int of 64 bits, {_INT64[0]} to {_INT64[-1]}", parameter=where
            )
        return given

    def _without_nulls(self, text: msgspec.Raw, error: Exception) -> Any:
        # To varlink a null member is one left out; msgspec takes it as a value.
        try:
            given = msgspec.json.decode(text)
            kept = {} if given is None else _drop_nulls(given)
            if kept == given:
                raise error
            return msgspec.convert(kept, self.method.params)
        except UNDECODABLE as reason:
            raise invalid_parameter(self.name, reason) from None


def _beyond_64_bits(value: Any) -> str | None:
    """Where in the parameters there is an integer that is none to varlink; None for nowhere."""
    if isinstance(value, int):
        return None if value in _INT64 else ""
    members: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        members = ((f".{key}", member) for key, member in value.items())
    elif isinstance(value, list):
        members = ((f"[{at}]", member) for at, member in enumerate(value))
    for name, member in members:
        if (within := _beyond_64_bits(member)) is not None:
            return f"{name}{within}"
    return None


def _drop_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _drop_nulls(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_drop_nulls(member) for member in value]
    return value


def invalid_parameter(name: str, reason: Exception) -> InvalidParameter:
    """The error that says which parameter of the method is wrong, and how."""
    if isinstance(reason, RecursionError):
        return InvalidParameter(f"{name}: parameters nested too deeply", parameter="parameters")
    if isinstance(reason, UnicodeDecodeError):
        return InvalidParameter(f"{name}: parameters are not valid UTF-8", parameter="parameters")
    found = _PLACE.match(str(reason))
    what, where = (found["what"], found["where"] or "") if found else (str(reason), "")
    if field := _FIELD.match(what):
        where = f"{where}.{field['field']}" if where else field["field"]
    parameter = where or "parameters"
    return InvalidParameter(f"{name}: {parameter}: {what}", parameter=parameter)


class Routes:
    """Every method of every registered interface.

    Synchronization: external.
    """

    def __init__(self) -> None:
        self.interfaces: dict[str, Interface] = {}
        self._routes: dict[str, Route] = {}

    def add(self, interface: Interface, handlers: Mapping[str, Handler]) -> None:
        """Every method of the interface can be called.

        Raises:
            ValueError: A method has no handler, or a handler no method; or the interface is known already.
        """
        names = {method.name for method in interface.methods}
        if interface.name in self.interfaces:
            raise ValueError(f"{interface.name} is registered already")
        if missing := sorted(names - handlers.keys()):
            raise ValueError(f"{interface.name}: no handler for {', '.join(missing)}")
        if unknown := sorted(handlers.keys() - names):
            raise ValueError(f"{interface.name} has no method {', '.join(unknown)}")
        self.interfaces[interface.name] = interface
        for method in interface.methods:
            route = Route(interface, method, handlers[method.name])
            self._routes[route.name] = route

    def find(self, name: str) -> Route:
        """The method of that qualified name.

        Raises:
            InterfaceNotFound, MethodNotFound: There is none.
        """
        route = self._routes.get(name)
        if route is not None:
            return route
        interface, _, method = name.rpartition(".")
        known = self.interfaces.get(interface)
        if known is None:
            known_names = ", ".join(sorted(self.interfaces))
            raise InterfaceNotFound(f"no interface {interface[:80]!r} here: {known_names}", interface=interface)
        raise MethodNotFound(
            f"{interface} has no method {method[:80]!r}: {', '.join(m.name for m in known.methods)}", method=name
        )
