# SPDX-License-Identifier: GPL-2.0-or-later
"""Thousands of mutated calls: each is answered or ends its connection, and a bystander's calls go on.

The seed is printed when it fails; `DAHDI_PY_FUZZ_SEED` repeats a run.
"""

import json
import os
import random
import socket
import time
from contextlib import suppress
from copy import deepcopy
from pathlib import Path

from dahdi_py.errors import DahdiPyError
from dahdi_py.wire import idl
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.framing import parse_call, parse_reply
from dahdi_py.wire.idl_parse import parse
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.refusals import ProtocolError
from dahdi_py.wire.server import Limits, Request
from tests.wire.service import Echo, Echoed, Service, open_descriptors, serving
from tests.wire.waiting import PATIENCE_S, wait_for

_INPUTS = 20_000
_BUDGET_S = 15.0
_ENOUGH = 2_000
"""So many on a slow machine too."""
_SEED = int(os.environ.get("DAHDI_PY_FUZZ_SEED", "20261122"))

_WORDS = (
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\0", b"\0\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\\ud800"),
    *(b"null", b"true", b"NaN", b"-1", b"1e999", b"9" * 30, b"\\u0000", b"[" * 200, b'{"a":' * 50),
    *(b'"fds":1,', b'"fds":254,', b'"more":true,', b'"oneway":true,', b'"method":', b'"parameters":', b"org.dahdipy."),
)
_VALUES: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    1 << 70,
    1.5,
    "",
    "x" * 300,
    "ä\0",
    [],
    [[]],
    {},
    {"a": {"b": [1]}},
    {"epoch": 1, "n": -1},
)


def _corpus() -> list[bytes]:
    """A sound call of every method of every interface."""
    calls = []
    for interface in idl.interfaces():
        for method in interface.methods:
            name = f"{interface.name}.{method.name}"
            members = method.params.__struct_fields__
            samples = {member: _VALUES[len(member) % len(_VALUES)] for member in members}
            calls.append(json.dumps({"method": name, "parameters": samples}).encode())
    calls.append(b'{"method":"org.dahdipy.Test.Echo","parameters":{"text":"\xc3\xa4","times":2}}')
    return calls


def _mistyped(rng: random.Random, corpus: list[bytes]) -> bytes:
    """Sound JSON that says odd things."""
    call = json.loads(rng.choice(corpus))
    for _ in range(rng.randint(1, 4)):
        place = rng.choice((call, call.get("parameters")))
        if not isinstance(place, dict):
            continue
        key = rng.choice([*place, "fds", "more", "surplus"])
        if rng.random() < 0.2:
            place.pop(key, None)
        else:
            place[key] = deepcopy(rng.choice(_VALUES))
    return json.dumps(call, ensure_ascii=rng.random() < 0.5).encode()


def _mutated(rng: random.Random, corpus: list[bytes]) -> bytes:
    if rng.random() < 0.5 and corpus[0].startswith(b"{"):
        return _mistyped(rng, corpus)
    octets = bytearray(rng.choice(corpus))
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(octets) + 1)
        match rng.randrange(6):
            case 0:
                octets[at : at + rng.randint(1, 8)] = b""
            case 1:
                octets[at:at] = rng.choice(_WORDS)
            case 2:
                octets[at : at + 1] = bytes((rng.randrange(256),))
            case 3:
                octets[at:at] = octets[at : at + rng.randint(1, 60)]
            case 4:
                octets[at:] = b""
            case _:
                other = rng.choice(corpus)
                octets[at:] = other[rng.randrange(len(other)) :]
    return bytes(octets)


def _register_everything(service: Service) -> None:
    def handler(request: Request, parameters: object) -> None:
        request.reply(Empty())

    for interface in idl.interfaces():
        if interface.methods:
            service.server.register(interface, {method.name: handler for method in interface.methods})


def test_mutated_calls_are_answered_or_end_their_connection(run_dir: Path) -> None:
    rng, corpus = random.Random(_SEED), _corpus()
    limits = Limits(partial_s=5.0, connections=16)
    deadline = time.monotonic() + _BUDGET_S
    with serving(run_dir / "s", limits=limits) as service, Connection(service.path, PATIENCE_S) as bystander:
        service.run(lambda: _register_everything(service))
        bystander.call("org.dahdipy.Test.Echo", Echo(text="a"), Echoed)
        before = open_descriptors()
        done = connections = 0
        while done < _ENOUGH or (done < _INPUTS and time.monotonic() < deadline):
            batch = [_mutated(rng, corpus) for _ in range(rng.choice((1, 1, 1, 2, 5)))]
            _converse(run_dir / "s", batch)
            done += len(batch)
            connections += 1
            if connections % 50 == 0:
                assert bystander.call("org.dahdipy.Test.Echo", Echo(text="on"), Echoed).text == "on", _SEED
        assert bystander.call("org.dahdipy.Test.Echo", Echo(text="on"), Echoed).text == "on", _SEED
        wait_for(lambda: len(service.gone) == connections)
        assert open_descriptors() == before, _SEED


def _converse(path: Path, batch: list[bytes]) -> None:
    """Says it all, reads until the server is done with it or has closed; every answer is a message."""
    end = b'{"method":"org.dahdipy.Test.Echo","parameters":{"text":"the end"}}\0'
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(str(path))
        with suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(b"\0".join(batch) + b"\0" + end)
        data = b""
        while b"the end" not in data:
            try:
                more = sock.recv(65536)
            except ConnectionResetError:
                break
            if not more:
                break
            data += more
    for message in data.split(b"\0")[:-1]:
        parse_reply(message)


def test_mutated_messages_and_descriptions_are_read_or_refused() -> None:
    rng, corpus = random.Random(_SEED), _corpus()
    texts = [text.encode() for text in idl.files().values()]
    for _ in range(_INPUTS):
        octets = _mutated(rng, corpus)
        for read in (parse_call, parse_reply):
            with suppress(ProtocolError):
                read(octets)
    for _ in range(300):
        text = _mutated(rng, texts).decode("utf-8", "replace")
        with suppress(DahdiPyError):
            parse(text)
