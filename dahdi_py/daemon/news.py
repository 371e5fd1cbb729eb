# SPDX-License-Identifier: GPL-2.0-or-later
"""Line hosts' events as the daemon reads them: their data as octets, read once as their kind and passed on as they are.

Octets are smaller than the dicts that they stand for, cost no collector anything, and need no encoding for the disk and
for each subscriber.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias, TypeVar

import msgspec

from dahdi_py.core.cause import cause_name
from dahdi_py.wire.interface import Record

T = TypeVar("T")

Data: TypeAlias = dict[str, Any] | msgspec.Raw
"""An event's own fields: the daemon's in a dict, a host's as JSON."""


class News(Record, omit_defaults=True):
    """A `HostEvent`.

    Attributes:
        data: A JSON object.
    """

    n: int
    utc_ns: int
    monotonic_ns: int
    kind: str
    span: str = ""
    timeslot: int = 0
    call: str = ""
    token: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class NewsReply(Record):
    """A `MonitorReply` of a host."""

    start: int
    events: list[News]


def read(news: News, kind: type[T]) -> T:
    """The event's data as their kind.

    Raises:
        msgspec.ValidationError: They are not.
    """
    as_key: Any = kind
    found: T = _decoder(as_key).decode(news.data)
    return found


def check(news: News) -> None:
    """The data are an object, whatever its fields.

    Raises:
        msgspec.ValidationError: They are something else.
    """
    if memoryview(news.data)[0] != ord("{"):
        raise msgspec.ValidationError("Expected `object` - at `$.data`")


def with_cause_name(data: msgspec.Raw, cause: int) -> msgspec.Raw:
    """The data, and the cause in words beside them."""
    fields = bytes(data).rstrip()[:-1]
    return msgspec.Raw(b'%b%b"cause_name":%b}' % (fields, b"" if fields.strip() == b"{" else b",", _cause_name(cause)))


@cache
def _decoder(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


@cache
def _cause_name(cause: int) -> bytes:
    return msgspec.json.encode(cause_name(cause))
