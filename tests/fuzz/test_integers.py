# SPDX-License-Identifier: GPL-2.0-or-later
"""Integers at and beyond 64 bits in every integer field of every method of a real daemon: each call is answered."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect as types

from dahdi_py.wire import idl
from dahdi_py.wire.interface import Method
from tests.daemon.conftest import daemon, host, start_daemon, start_host
from tests.daemon.process import PATIENCE_S, DaemonProcess

__all__ = ["daemon", "host", "start_daemon", "start_host"]

_BEYOND = (1 << 63, -(1 << 63) - 1, 1 << 70, 10**40)
_WITHIN = ((1 << 63) - 1, -(1 << 63), 1 << 40)
_NOT_FOR_CLIENTS = ("org.dahdipy.Host", "org.dahdipy.Card")
_SAMPLES: dict[str, str] = {"span": "east", "group": "both", "host": "a", "port": "sim:1", "a": "1", "b": "2"}

Path = tuple[str | int, ...]


def _methods() -> Iterator[tuple[str, Method]]:
    for interface in idl.interfaces():
        if interface.name not in _NOT_FOR_CLIENTS:
            for method in interface.methods:
                yield f"{interface.name}.{method.name}", method


def _sample(name: str, kind: types.Type) -> Any:
    """Something of that type."""
    match kind:
        case types.StrType():
            return _SAMPLES.get(name, "1")
        case types.BoolType():
            return False
        case types.ListType():
            return []
        case types.StructType():
            return {field.name: _sample(field.name, field.type) for field in kind.fields if field.required}
        case _:
            return 1


def _integers(kind: types.Type) -> Iterator[Path]:
    """Where in a value of that type integers can be."""
    match kind:
        case types.IntType():
            yield ()
        case types.UnionType():
            for one in kind.types:
                yield from _integers(one)
        case types.ListType():
            for path in _integers(kind.item_type):
                yield (0, *path)
        case types.StructType():
            for field in kind.fields:
                for path in _integers(field.type):
                    yield (field.name, *path)


def _with(kind: types.Type, value: Any, path: Path, number: int) -> Any:
    """The value with that number there."""
    if isinstance(kind, types.UnionType):
        kind = next(one for one in kind.types if not isinstance(one, types.NoneType))
    if not path:
        return number
    if isinstance(kind, types.ListType):
        return [_with(kind.item_type, None, path[1:], number)]
    assert isinstance(kind, types.StructType)
    field = next(one for one in kind.fields if one.name == path[0])
    return (value or _sample("", kind)) | {field.name: _with(field.type, None, path[1:], number)}


def _calls(numbers: tuple[int, ...]) -> Iterator[tuple[str, bool, dict[str, Any], str]]:
    """Method, whether it streams, parameters, and the field that holds the number."""
    for name, method in _methods():
        kind = types.type_info(method.params)
        sound = _sample("", kind)
        for path in _integers(kind):
            said = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)[1:]
            for number in numbers:
                yield name, method.stream, _with(kind, sound, path, number), said


def _converse(path: str, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """So many answers to calls that were sent at once."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(path)
        sock.sendall(b"".join(json.dumps(call).encode() + b"\0" for call in calls))
        data = b""
        while data.count(b"\0") < len(calls):
            more = sock.recv(65536)
            assert more, f"{calls} ended the connection after {data!r}"
            data += more
    return [msgspec.json.decode(message) for message in data.split(b"\0")[:-1]]


def _status() -> dict[str, Any]:
    return {"method": "org.dahdipy.Daemon.Status"}


def test_every_integer_field_is_found() -> None:
    found = {(name, field) for name, _, _, field in _calls((1,))}
    assert {("org.dahdipy.Daemon.Audit", "uid"), ("org.dahdipy.Events.Monitor", "after.n")} <= found
    assert ("org.dahdipy.Sim.Loop", "timeslots[0]") in found


@pytest.mark.parametrize("number", _BEYOND)
def test_integers_beyond_64_bits_are_refused_by_name_and_range(daemon: DaemonProcess, number: int) -> None:
    for name, stream, parameters, field in _calls((number,)):
        call = {"method": name, "parameters": parameters, "more": stream}
        answer, status = _converse(str(daemon.socket), [call, _status()])
        assert answer["error"] == "org.varlink.service.InvalidParameter", (call, answer)
        assert answer["parameters"]["parameter"] == field, (call, answer)
        # A field with a narrower range names that.
        message = answer["parameters"]["message"]
        assert "64 bits, -9223372036854775808 to 9223372036854775807" in message or "Expected `int` " in message
        assert status["parameters"]["ready"]


def test_the_greatest_integers_are_answered(daemon: DaemonProcess) -> None:
    for name, stream, parameters, _ in _calls(_WITHIN):
        call = {"method": name, "parameters": parameters, "more": stream}
        # What follows a stream on its connection is answered after it.
        answers = _converse(str(daemon.socket), [call] if stream else [call, _status()])
        assert answers[0].get("error") != "org.dahdipy.Failed", (call, answers)
        assert stream or answers[1]["parameters"]["ready"], (call, answers)
