# SPDX-License-Identifier: GPL-2.0-or-later
"""A server and its clients on real sockets."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from dahdi_py.errors import ChannelBusy, DahdiPyError
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.refusals import ExpectedMore, InterfaceNotFound, InvalidParameter, MethodNotFound
from tests.wire.service import Count, Counted, Echo, Echoed, Service, serving


@pytest.fixture
def service(run_dir: Path) -> Iterator[Service]:
    with serving(run_dir / "control.sock") as service:
        yield service


@pytest.fixture
def connection(service: Service) -> Iterator[Connection]:
    with Connection(service.path) as connection:
        yield connection


def test_a_call_is_answered(connection: Connection) -> None:
    assert connection.call("org.dahdipy.Test.Echo", Echo(text="wörd"), Echoed) == Echoed(text="wörd", count=1)


def test_an_error_arrives_as_its_class_with_its_fields(connection: Connection) -> None:
    with pytest.raises(ChannelBusy, match="taken") as caught:
        connection.call("org.dahdipy.Test.Fail", None, Empty)
    assert caught.value.holder == 42


def test_an_unexpected_exception_is_answered_and_logged_once(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DahdiPyError, match="log has the trace") as caught:
        connection.call("org.dahdipy.Test.Crash", None, Empty)
    assert caught.value.code == "org.dahdipy.Failed"
    assert connection.call("org.dahdipy.Test.Echo", Echo(text="on"), Echoed).text == "on"
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


def test_descriptors_come_with_the_reply_and_ours_are_closed(connection: Connection) -> None:
    reply, fds = connection.call_fds("org.dahdipy.Test.Pipe", None, Echoed)
    assert len(fds) == 2
    os.write(fds[1], b"through")
    assert os.read(fds[0], 10) == b"through"
    os.close(fds[1])
    assert os.read(fds[0], 10) == b""  # the server kept no writing end
    os.close(fds[0])
    assert reply.count == 2


def test_a_stream_goes_on_until_its_iterator_is_closed(service: Service) -> None:
    with Connection(service.path) as connection:
        stream = connection.stream("org.dahdipy.Test.Follow", Count(upto=3), Counted)
        assert [reply.n for reply in stream] == [0, 1, 2]
        assert connection.call("org.dahdipy.Test.Echo", Echo(text="after"), Echoed).text == "after"
        stream = connection.stream("org.dahdipy.Test.Follow", Count(upto=10), Counted)
        assert next(stream).n == 0
        with pytest.raises(ValueError, match="carries a stream"):
            connection.call("org.dahdipy.Test.Echo", Echo(text="between"), Echoed)
        stream.close()  # type: ignore[attr-defined]
        assert connection.closed


@pytest.mark.parametrize(
    ("method", "parameters", "expected", "field"),
    [
        ("org.dahdipy.Test.Echo", b'{"text":5}', InvalidParameter, "text"),
        ("org.dahdipy.Test.Echo", b"{}", InvalidParameter, "text"),
        ("org.dahdipy.Test.Echo", b"null", InvalidParameter, "text"),
        ("org.dahdipy.Test.Echo", b'{"text":"a","txt":1}', InvalidParameter, "txt"),
        ("org.dahdipy.Test.Echo", b'{"text":"\xff"}', InvalidParameter, "parameters"),
        ("org.dahdipy.Test.Echo", b"[]", InvalidParameter, "parameters"),
        ("org.dahdipy.Test.Nothing", b"{}", MethodNotFound, "org.dahdipy.Test.Nothing"),
        ("org.dahdipy.Nowhere.Echo", b"{}", InterfaceNotFound, "org.dahdipy.Nowhere"),
        ("Echo", b"{}", InterfaceNotFound, ""),
        ("", b"{}", InterfaceNotFound, ""),
        ("org.dahdipy.Test.Follow", b'{"upto":1}', ExpectedMore, None),
    ],
)
def test_a_wrong_call_is_refused_by_name_and_the_connection_goes_on(
    connection: Connection, method: str, parameters: bytes, expected: type[DahdiPyError], field: str | None
) -> None:
    with pytest.raises(expected) as caught:
        connection.call(method, msgspec.Raw(parameters), Empty)
    assert type(caught.value) is expected
    if field is not None:
        assert field in caught.value.fields.values()
    assert connection.call("org.dahdipy.Test.Echo", Echo(text="on"), Echoed).text == "on"


def test_a_null_member_is_one_left_out(connection: Connection) -> None:
    raw = msgspec.Raw(b'{"text":"a","times":null}')
    assert connection.call("org.dahdipy.Test.Echo", raw, Echoed).text == "a"
