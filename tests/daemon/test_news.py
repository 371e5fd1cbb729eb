# SPDX-License-Identifier: GPL-2.0-or-later
"""A host's events, whose data the daemon passes on as octets: what it adds to them, and what it does not take."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.cause import cause_name
from dahdi_py.daemon.news import News, NewsReply, check, read, with_cause_name
from dahdi_py.wire.messages.host import HangupSeen, HostEvent, MonitorReply

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


def news(data: bytes) -> News:
    """As it comes, within a message and whatever blanks its host puts in."""
    (event,) = msgspec.json.decode(
        b'{"start":1,"events":[{"n":1,"utc_ns":2,"monotonic_ns":3,"kind":"call.hangup","data":%b}]}' % data,
        type=NewsReply,
    ).events
    return event


def test_it_has_the_fields_of_what_a_host_sends() -> None:
    for ours, theirs in ((News, HostEvent), (NewsReply, MonitorReply)):
        assert ours.__struct_fields__ == theirs.__struct_fields__
        assert len(ours.__struct_defaults__) == len(theirs.__struct_defaults__)


@given(st.dictionaries(st.text().filter(lambda name: name != "cause_name"), JSON, max_size=5), st.integers(0, 200))
def test_the_causes_name_stands_beside_what_the_host_said(fields: dict[str, object], cause: int) -> None:
    for said in (msgspec.json.encode(fields), msgspec.json.format(msgspec.json.encode(fields), indent=3)):
        named = with_cause_name(news(b" " + said + b"\n").data, cause)
        assert msgspec.json.decode(named) == fields | {"cause_name": cause_name(cause)}


@given(JSON.filter(lambda value: not isinstance(value, dict)))
def test_data_that_are_no_object_are_refused(value: object) -> None:
    event = news(msgspec.json.encode(value))
    with pytest.raises(msgspec.ValidationError, match="Expected `object`"):
        check(event)
    with pytest.raises(msgspec.ValidationError, match="Expected `object`"):
        read(event, HangupSeen)


def test_data_are_read_as_their_kind() -> None:
    check(news(b"{}"))
    seen = HangupSeen(cause=17, location="user", in_band=True)
    event = news(msgspec.json.encode(seen))
    check(event)
    assert read(event, HangupSeen) == seen
