# SPDX-License-Identifier: GPL-2.0-or-later
"""What a host's events change in the inventory, and what is published and kept of them."""

from __future__ import annotations

import tomllib

import msgspec
import pytest

from dahdi_py.core.config_file import parse
from dahdi_py.daemon import ledger, told
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.inventory import Inventory
from dahdi_py.daemon.news import News
from dahdi_py.errors import Glare
from dahdi_py.wire.messages.common import Bearer, Owner, Party
from dahdi_py.wire.messages.host import Ended, LeaseEnded, Offered, Preempted, Progressed
from tests.daemon.process import TWO_HOSTS

SOURCE = told.Source("a", 1)


class Host:
    """Tells an inventory one event after the other, of call c on timeslot 1 of span east."""

    def __init__(self) -> None:
        self.inventory = Inventory(parse(tomllib.loads(TWO_HOSTS.format(service="", access="", calls=""))))
        self.n = 0

    def tells(
        self, kind: str, data: msgspec.Struct | dict[str, object] | None = None, known: bool = False
    ) -> told.Told:
        self.n += 1
        event = News(
            n=self.n, utc_ns=self.n, monotonic_ns=self.n, kind=kind, span="east", timeslot=1, call="c", token="a/1/1",
            data=msgspec.Raw(msgspec.json.encode(data) if data is not None else b"{}"),
        )  # fmt: skip
        return told.take_in(self.inventory, SOURCE, event, known)


@pytest.fixture
def host() -> Host:
    """A call is offered, claimed by a client, and rings."""
    host = Host()
    offered = Offered(called=Party(number="1"), calling=Party(), bearer=Bearer(), law="alaw", bchannel=1)
    host.tells("call.offered", offered)
    call = host.inventory.calls["c"]
    client = Client(1, 10, 20, frozenset(), False)
    call.claimed, call.owner = True, Owner(pid=10, uid=20, label="core")
    host.inventory.own_call(call, client)
    host.inventory.bind(call, "a/1/1", "east", 1)
    host.tells("call.media")
    host.tells("call.alerting", Progressed())
    return host


def test_an_unclaimed_call_is_nobodys_offer(host: Host) -> None:
    call, lease = host.inventory.calls["c"], host.inventory.leases["a/1/1"]
    client = lease.client
    assert client is not None
    what = host.tells("call.unclaimed")
    assert (call.phase, call.claimed, call.media, call.client, call.owner.uid) == ("offered", False, False, None, -1)
    assert (lease.client, lease.owner.uid, client.tokens, client.calls) == (None, -1, set(), set())
    assert call.alerted
    assert isinstance(what.entry, ledger.Stepped)
    assert dict(what.entry.columns)["owner"] == msgspec.json.encode(Owner()).decode()


def test_what_the_snapshot_had_already_changes_nothing(host: Host) -> None:
    for kind, data in (
        ("call.unclaimed", None),
        ("call.preempted", Preempted(by="d")),
        ("lease.ended", LeaseEnded(reason="")),
    ):
        host.tells(kind, data, known=True)
    call = host.inventory.calls["c"]
    assert (call.phase, call.claimed) == ("alerting", True)
    assert "a/1/1" in host.inventory.leases


def test_a_pre_empted_call_is_being_cleared_and_one_that_waits_is_not(host: Host) -> None:
    call = host.inventory.calls["c"]
    assert host.tells("call.preempted", Preempted(reason="waits")).kind == "call.preempted"
    assert call.phase == "alerting"
    host.tells("call.preempted", Preempted(by="d", reason="pre-empted for call d"))
    assert call.phase == "releasing"


def test_a_lease_that_ends_leaves_its_call_to_be_cleared(host: Host) -> None:
    what = host.tells("lease.ended", LeaseEnded(reason="nobody reclaimed it in time"))
    assert isinstance(what.data, msgspec.Raw)
    data = msgspec.json.decode(what.data)
    assert (what.kind, data["reason"]) == ("channel.released", "nobody reclaimed it in time")
    channel = host.inventory.channel("east", 1)
    assert channel is not None
    assert (channel.busy, channel.token, host.inventory.leases) == (True, "", {})
    assert host.inventory.calls["c"].phase == "releasing"


@pytest.mark.parametrize("error", [None, "", Glare.code])
def test_who_lost_its_lease_to_glare_is_told_so_and_an_older_host_says_nothing(host: Host, error: str | None) -> None:
    ended = Ended(
        direction="incoming", called=Party(), calling=Party(), bearer=Bearer(), span="east", timeslot=1, attempt=1,
        cause=44, location="", cleared_by="peer", reason="glare", started_ns=1, alerting_ns=0, answered_ns=0,
        ended_ns=2, duration_ns=0, messages=[], error=error or "",
    )  # fmt: skip
    data = msgspec.to_builtins(ended)
    if error is None:
        del data["error"]
    what = host.tells("call.ended", data)
    assert isinstance(what.data, msgspec.Raw)
    assert msgspec.json.decode(what.data).get("error") == error
    assert isinstance(what.entry, ledger.Closed)
