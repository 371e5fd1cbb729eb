# SPDX-License-Identifier: GPL-2.0-or-later
"""An independent implementation of varlink understands our server."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asyncvarlink import VarlinkClientProtocol, VarlinkMethodCall, VarlinkTransport, connect_unix_varlink

from tests.wire.service import Service, serving
from tests.wire.waiting import PATIENCE_S


@pytest.fixture
def service(run_dir: Path) -> Iterator[Service]:
    with serving(run_dir / "s") as service:
        yield service


def conversation(service: Service, talk: Any) -> None:
    async def main() -> None:
        async with asyncio.timeout(PATIENCE_S):
            transport, protocol = await connect_unix_varlink(VarlinkClientProtocol, str(service.path))
            assert isinstance(transport, VarlinkTransport)
            try:
                await talk(protocol)
            finally:
                transport.close()
                await transport.closed_future

    asyncio.run(main())


def test_it_calls_and_is_answered(service: Service) -> None:
    async def talk(client: VarlinkClientProtocol) -> None:
        answer = await client.call(VarlinkMethodCall("org.dahdipy.Test.Echo", {"text": "hello", "times": None}))
        assert answer is not None
        assert answer[0].parameters == {"text": "hello", "count": 1}

    conversation(service, talk)


def test_it_pipelines(service: Service) -> None:
    async def talk(client: VarlinkClientProtocol) -> None:
        calls = [client.call(VarlinkMethodCall("org.dahdipy.Test.Echo", {"text": str(n)})) for n in range(50)]
        answers = await asyncio.gather(*calls)
        assert [answer[0].parameters["text"] for answer in answers if answer] == [str(n) for n in range(50)]

    conversation(service, talk)


@pytest.mark.parametrize(
    ("method", "parameters", "error", "field"),
    [
        ("org.dahdipy.Test.Fail", {}, "org.dahdipy.ChannelBusy", ("holder", 42)),
        ("org.dahdipy.Test.Nope", {}, "org.varlink.service.MethodNotFound", ("method", "org.dahdipy.Test.Nope")),
        ("org.dahdipy.Nope.Nope", {}, "org.varlink.service.InterfaceNotFound", ("interface", "org.dahdipy.Nope")),
        ("org.dahdipy.Test.Echo", {"text": 1}, "org.varlink.service.InvalidParameter", ("parameter", "text")),
        ("org.dahdipy.Test.Forever", {}, "org.varlink.service.ExpectedMore", ("message", None)),
    ],
)
def test_errors_are_varlinks_own(
    service: Service, method: str, parameters: dict[str, Any], error: str, field: tuple[str, Any]
) -> None:
    async def talk(client: VarlinkClientProtocol) -> None:
        answer = await client.call(VarlinkMethodCall(method, parameters))
        assert answer is not None
        assert answer[0].error == error
        name, value = field
        assert answer[0].parameters[name] == value or value is None

    conversation(service, talk)


def test_it_gets_descriptors(service: Service) -> None:
    async def talk(client: VarlinkClientProtocol) -> None:
        done = asyncio.get_running_loop().create_future()
        answer = await client.call(VarlinkMethodCall("org.dahdipy.Test.Pipe", {}), None, done)
        assert answer is not None
        _, fds = answer
        assert fds is not None
        reading, writing = (os.dup(fd.fileno()) for fd in fds)
        done.set_result(None)
        os.write(writing, b"through")
        assert os.read(reading, 10) == b"through"
        os.close(reading)
        os.close(writing)

    conversation(service, talk)


def test_it_follows_a_stream(service: Service) -> None:
    async def talk(client: VarlinkClientProtocol) -> None:
        call = VarlinkMethodCall("org.dahdipy.Test.Follow", {"upto": 3}, more=True)
        assert [reply.parameters["n"] async for reply, _ in client.call_more(call)] == [0, 1, 2]

    conversation(service, talk)


def test_it_reads_what_the_service_tells_of_itself(service: Service) -> None:
    async def talk(client: VarlinkClientProtocol) -> None:
        answer = await client.call(VarlinkMethodCall("org.varlink.service.GetInfo", {}))
        assert answer is not None
        assert sorted(answer[0].parameters) == ["interfaces", "product", "url", "vendor", "version"]
        call = VarlinkMethodCall("org.varlink.service.GetInterfaceDescription", {"interface": "org.dahdipy.Test"})
        answer = await client.call(call)
        assert answer is not None
        assert "method Echo(text: string, times: ?int)" in str(answer[0].parameters["description"])

    conversation(service, talk)
