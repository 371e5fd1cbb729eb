# SPDX-License-Identifier: GPL-2.0-or-later
"""What a switching core imports: a blocking and an asyncio client of the control daemon, and one set of types.

    from dahdi_py.client import Client

    with Client() as client:
        for span in client.spans():
            print(span.number, span.name, span.state)

A lease or call belongs to the client that made it: keep it open as long as they should live.
"""

from dahdi_py.client.aio import AsyncClient
from dahdi_py.client.blocking import Client
from dahdi_py.client.channel import AsyncChannel, Channel, Medium
from dahdi_py.client.event_stream import EventStream
from dahdi_py.client.mirror import Mirror
from dahdi_py.client.offer_stream import OfferStream
from dahdi_py.client.requests import PlaceOptions
from dahdi_py.errors import DahdiPyError
from dahdi_py.wire.messages.alarms import Alarm
from dahdi_py.wire.messages.calls import Call, CallRecord, ClaimReply, Offer, PlaceReply, ServeReply
from dahdi_py.wire.messages.channels import Channel as ChannelStatus
from dahdi_py.wire.messages.channels import ReclaimReply
from dahdi_py.wire.messages.common import (
    Bearer,
    BearerRequest,
    Cause,
    Cursor,
    CursorRequest,
    Media,
    MediaRequest,
    Message,
    Owner,
    Party,
    PartyRequest,
)
from dahdi_py.wire.messages.daemon import Status
from dahdi_py.wire.messages.events import Event
from dahdi_py.wire.messages.groups import Group
from dahdi_py.wire.messages.hosts import Host
from dahdi_py.wire.messages.spans import Span

__all__ = [
    "Alarm",
    "AsyncChannel",
    "AsyncClient",
    "Bearer",
    "BearerRequest",
    "Call",
    "CallRecord",
    "Cause",
    "Channel",
    "ChannelStatus",
    "ClaimReply",
    "Client",
    "Cursor",
    "CursorRequest",
    "DahdiPyError",
    "Event",
    "EventStream",
    "Group",
    "Host",
    "Media",
    "MediaRequest",
    "Medium",
    "Message",
    "Mirror",
    "Offer",
    "OfferStream",
    "Owner",
    "Party",
    "PartyRequest",
    "PlaceOptions",
    "PlaceReply",
    "ReclaimReply",
    "ServeReply",
    "Span",
    "Status",
]
