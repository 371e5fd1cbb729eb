# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages survive any cutting of the stream, with their descriptors; what is no message has a named error."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dahdi_py.errors import ChannelBusy
from dahdi_py.wire.framing import (
    DESCRIPTOR_LIMIT,
    Reader,
    close_all,
    format_call,
    format_error,
    format_reply,
    parse_call,
    parse_reply,
    receive,
    send,
)
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.refusals import ProtocolError, TooLarge
from tests.wire.service import Echo, Echoed, open_descriptors

_TEXT = st.binary(max_size=40).map(lambda octets: octets.replace(b"\0", b"x"))


@contextmanager
def _marked(count: int) -> Iterator[list[tuple[int, int]]]:
    """Descriptors that can be told apart: each a pipe's reading end, and what it is known by."""
    made: list[tuple[int, int]] = []
    try:
        for _ in range(count):
            reading, writing = os.pipe()
            os.close(writing)
            made.append((reading, os.fstat(reading).st_ino))
        yield made
    finally:
        close_all(fd for fd, _ in made)


@given(st.lists(_TEXT, max_size=8), st.data())
def test_messages_come_whole_however_the_stream_is_cut(messages: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(message + b"\0" for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    reader = Reader()
    got = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += reader.feed(stream[start:end])
    assert got == messages
    assert not reader.partial
    assert reader.fault is None


@settings(max_examples=60)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.data())
def test_each_message_gets_its_own_descriptors_through_a_real_socket(counts: list[int], data: st.DataObject) -> None:
    left, right = socket.socketpair()
    with left, right, _marked(sum(counts)) as marked:
        expected, waiting = [], list(marked)
        pieces: list[tuple[bytes, list[int]]] = []
        for count in counts:
            own, waiting = waiting[:count], waiting[count:]
            expected.append([inode for _, inode in own])
            message = format_call("a.b.C", None, fds=count)
            cut = data.draw(st.integers(1, len(message)))
            pieces += [(message[:cut], [fd for fd, _ in own]), (message[cut:], [])]
        right.setblocking(False)
        reader = Reader()
        got: list[list[int]] = []
        for piece, fds in pieces:
            if piece:
                send(left, piece, fds)
            if data.draw(st.booleans()):
                got += _take_waiting(right, reader)
        got += _take_waiting(right, reader)
        assert got == expected


def _take_waiting(sock: socket.socket, reader: Reader) -> list[list[int]]:
    """The inodes of each message's descriptors, of all that has come."""
    taken: list[list[int]] = []
    while True:
        try:
            data, fds = receive(sock)
        except BlockingIOError:
            return taken
        for message in reader.feed(data, fds):
            own = reader.take(parse_call(message).fds)
            assert all(not os.get_inheritable(fd) for fd in own)
            taken.append([os.fstat(fd).st_ino for fd in own])
            close_all(own)


def test_descriptors_that_came_with_an_earlier_message_wait_for_theirs() -> None:
    with _marked(3) as marked:
        fds = [os.dup(fd) for fd, _ in marked]
        reader = Reader()
        messages = reader.feed(b'{"method":"a.b.C"}\0{"method":"a.b.D","fds":2}\0{"method":"a.b.E","fds":1}\0', fds)
        taken = [reader.take(parse_call(message).fds) for message in messages]
        assert taken == [[], fds[:2], fds[2:]]
        close_all(fds)


def test_a_message_that_claims_more_descriptors_than_came_is_refused() -> None:
    reader = Reader()
    with pytest.raises(ProtocolError, match="says it carries 2 descriptors and 0 came"):
        reader.take(2)


def test_descriptors_that_nobody_takes_are_closed_and_bounded() -> None:
    before = open_descriptors()
    reader = Reader(descriptors=4)
    with _marked(5) as marked:
        reader.feed(b"", [os.dup(fd) for fd, _ in marked])
        assert isinstance(reader.fault, ProtocolError)
        reader.close()
    assert open_descriptors() == before


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_a_message_above_the_limit_is_a_fault_and_earlier_ones_are_given(size: int) -> None:
    reader = Reader(limit=100)
    stream = b"first\0" + b"x" * 101 + b"\0later\0"
    got: list[bytes] = []
    for start in range(0, len(stream), size):
        got += reader.feed(stream[start : start + size])
    assert got == [b"first"]
    assert isinstance(reader.fault, TooLarge)
    assert reader.fault.limit == 100


def test_a_message_at_the_limit_passes() -> None:
    reader = Reader(limit=100)
    assert reader.feed(b"x" * 60) == []
    assert reader.partial
    assert reader.feed(b"x" * 40 + b"\0") == [b"x" * 100]
    assert reader.fault is None


def test_memory_for_an_endless_message_is_bounded() -> None:
    reader = Reader(limit=1000)
    for _ in range(1000):
        reader.feed(b"x" * 1000)
    assert sum(map(len, reader._chunks)) <= 2000


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b"{}",
        b'{"method":7}',
        b'{"method":"a","more":1}',
        b'{"method":"a","fds":-1}',
        b'{"method":"a","fds":254}',
        b'{"method":"a","fds":1.5}',
        b'{"method":"\xff"}',
        b'{"method":"a"} {}',
        b'{"method":"a","parameters":}',
        b'{"method":"a","x":' + b"[" * 60000 + b"]" * 60000 + b"}",
    ],
    ids=lambda message: message[:24],
)
def test_what_is_no_call_is_refused(message: bytes) -> None:
    with pytest.raises(ProtocolError, match="not a varlink call"):
        parse_call(message)


@given(st.binary(max_size=60))
def test_any_octets_are_a_message_or_a_protocol_error(message: bytes) -> None:
    for parse in (parse_call, parse_reply):
        with suppress(ProtocolError):
            parse(message)


def test_calls_and_replies_read_back_as_written() -> None:
    call = parse_call(format_call("a.b.C", Echo(text="ä\0\n"), more=True, oneway=True, fds=2)[:-1])
    assert (call.method, call.more, call.oneway, call.fds) == ("a.b.C", True, True, 2)
    assert msgspec.json.decode(call.parameters, type=Echo) == Echo(text="ä\0\n")
    reply = parse_reply(format_reply(Echoed(text="ö", count=1), continues=True, fds=3)[:-1])
    assert (reply.error, reply.continues, reply.fds) == (None, True, 3)
    assert msgspec.json.decode(reply.parameters, type=Echoed) == Echoed(text="ö", count=1)
    assert format_reply(Empty()) == b'{"parameters":{}}\0'
    assert format_call("a.b.C", None) == b'{"method":"a.b.C"}\0'
    error = parse_reply(format_error(ChannelBusy("taken", holder=stat))[:-1])
    assert error.error == "org.dahdipy.ChannelBusy"
    assert msgspec.json.decode(error.parameters)["message"] == "taken"


def test_more_descriptors_than_a_message_carries_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 253"):
        format_reply(Empty(), fds=DESCRIPTOR_LIMIT + 1)
    with pytest.raises(ValueError, match="at most 253"):
        format_call("a.b.C", None, fds=DESCRIPTOR_LIMIT + 1)
