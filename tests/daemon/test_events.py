# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import socket

import pytest

from dahdi_py.errors import NotFound
from dahdi_py.wire.framing import format_call
from dahdi_py.wire.messages.common import Bearer, Cursor, Party
from dahdi_py.wire.messages.events import MonitorRequest
from dahdi_py.wire.messages.host import Attempted
from tests.daemon.conftest import StartDaemon, StartHost
from tests.daemon.process import PATIENCE_S, DaemonProcess, Listener, eventually
from tests.daemon.scripted_host import ScriptedHost


def busy(host: ScriptedHost, count: int) -> None:
    for number in range(count):
        host.say("call.digits", None, span="east", call=f"c{number}")


def test_filters_choose_and_nothing_is_out_of_order(daemon: DaemonProcess, host: ScriptedHost) -> None:
    everything = Listener(daemon.socket)
    one = Listener(daemon.socket, call="c2")
    kinds = Listener(daemon.socket, kinds=["dchannel.", "call.ended"])
    busy(host, 5)
    host.say("dchannel.down", span="east")
    host.say("dchannel.down", span="west")
    kinds.wait("dchannel.down", span="west")
    everything.wait("dchannel.down", span="west")
    one.wait("call.digits")
    assert [event.n for event in everything.events] == sorted(event.n for event in everything.events)
    assert sum(not event.kind.startswith("alarm.") for event in everything.events) == 7
    assert [event.call for event in one.events] == ["c2"]
    assert kinds.kinds() == ["dchannel.down", "dchannel.down"]
    for listener in (everything, one, kinds):
        listener.close()


@pytest.mark.parametrize("journal", ["journal = true", "journal = false"])
def test_a_subscriber_resumes_where_it_was(host: ScriptedHost, start_daemon: StartDaemon, journal: str) -> None:
    daemon = start_daemon(service=journal)
    host.asked("Ready")
    first = Listener(daemon.socket, kinds=["call."])
    busy(host, 20)
    first.wait("call.digits", call="c19")
    first.close()
    middle = first.events[9]
    busy(host, 1500)
    second = Listener(daemon.socket, after=Cursor(epoch=middle.epoch, n=middle.n), kinds=["call."])
    second.wait("call.digits", call="c1499")
    calls = [event.call for event in second.events]
    assert calls == [f"c{number}" for number in range(10, 20)] + [f"c{number}" for number in range(1500)]
    second.close()


def test_older_events_come_from_the_disk_page_by_page(daemon: DaemonProcess, host: ScriptedHost) -> None:
    start = Listener(daemon.socket)
    cursor = start.cursor
    start.close()
    busy(host, 6000)
    later = Listener(daemon.socket, after=cursor, kinds=["call."])
    eventually(lambda: len(later.events) == 6000, f"{len(later.events)} of 6000")
    assert [event.call for event in later.events] == [f"c{number}" for number in range(6000)]
    everything = Listener(daemon.socket, after=Cursor(epoch=0, n=0))
    eventually(lambda: len(everything.events) >= 6000)
    assert "gap" not in everything.kinds()
    later.close()
    everything.close()


def test_who_hears_nothing_for_long_knows_where_it_is_all_the_same(daemon: DaemonProcess, host: ScriptedHost) -> None:
    """Its cursor would be forgotten before anything came that fits."""
    quiet = Listener(daemon.socket, kinds=["dchannel."])
    busy(host, 11_000)
    eventually(lambda: quiet.cursor is not None and quiet.cursor.n >= 10_000)
    assert quiet.events == []
    quiet.close()


@pytest.mark.parametrize("after", [(5, 7), (2**40, 1), (5, 2**63 - 1)])
def test_a_cursor_nobody_knows_gets_a_gap_with_the_state(
    daemon: DaemonProcess, host: ScriptedHost, after: tuple[int, int]
) -> None:
    listener = Listener(daemon.socket, after=Cursor(epoch=after[0], n=after[1]), kinds=["dchannel."])
    gap = listener.wait("gap")
    assert gap.data["after"] == {"epoch": after[0], "n": after[1]}
    assert listener.snapshot is not None
    assert [span.name for span in listener.snapshot.spans] == ["east", "west"]
    host.say("dchannel.down", span="east")
    listener.wait("dchannel.down")
    listener.close()


def test_without_a_journal_nothing_is_written(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    daemon = start_daemon(service="journal = false")
    with daemon.client() as client:
        client.release(client.allocate(span="east").token)
        assert not client.status().journal
        with pytest.raises(NotFound, match=r"service\.journal"):
            client.history()
        before = Listener(daemon.socket, kinds=["channel."])
        client.release(client.allocate(span="east").token)
        before.wait("channel.released")
        assert before.kinds() == ["channel.allocated", "channel.released"]
        before.close()
    assert not (daemon.run / "state").exists()


def test_who_does_not_read_is_cut_off_and_slows_nobody(daemon: DaemonProcess, host: ScriptedHost) -> None:
    deaf = socket.socket(socket.AF_UNIX)
    deaf.connect(str(daemon.socket))
    deaf.sendall(format_call("org.dahdipy.Events.Monitor", MonitorRequest(), more=True))
    listener = Listener(daemon.socket, kinds=["dchannel."])
    text = "x" * 4000
    for number in range(4000):
        host.say("call.digits", None, span="east", call=f"{number}{text}")
    host.say("dchannel.down", span="east")
    listener.wait("dchannel.down")
    deaf.settimeout(PATIENCE_S)
    octets = 0
    while chunk := deaf.recv(1 << 20):
        octets += len(chunk)
    assert 0 < octets < 4000 * 4000
    with daemon.client() as client:
        eventually(lambda: client.status().clients == 2)
    deaf.close()
    listener.close()


def test_a_group_hears_of_its_own(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    daemon = start_daemon(more='[[groups]]\nname = "low"\nspans = ["east:1-9"]\n')
    host.asked("Ready")
    low, everything = Listener(daemon.socket, group="low"), Listener(daemon.socket)
    with daemon.client() as client:
        client.allocate(group="east")
        ours = client.allocate(group="low").token
        client.release(ours)
        host.offer("in-high", "east", "2001", timeslot=20)
        host.offer("in-low", "east", "2001", timeslot=9)
        host.say("dchannel.down", span="west")
        host.say("dchannel.down", span="east")
        low.wait("dchannel.down")
        everything.wait("dchannel.down", span="east")
    heard = [event for event in low.events if not event.kind.startswith("alarm.")]
    assert [(event.kind, event.call or event.token) for event in heard] == [
        ("channel.allocated", ours), ("channel.released", ours), ("call.offered", "in-low"), ("dchannel.down", "")
    ]  # fmt: skip
    for listener in (low, everything):
        listener.close()


def test_a_lease_that_ends_with_a_call_that_has_lost_its_channel_is_told_of(
    daemon: DaemonProcess, host: ScriptedHost
) -> None:
    """After glare the end of a call names no channel and no token any more."""
    events = Listener(daemon.socket)
    with daemon.client() as client:
        lease = client.allocate(span="east", timeslot=4)
        call = client.place("2001", token=lease.token).call
        said = Attempted(attempt=1, called=Party(number="2001"), calling=Party(), bearer=Bearer())
        host.say("call.attempt", said, span="east", timeslot=4, call=call, token=lease.token)
        host.end(call, "east", 0, direction="outgoing", cause=44)
        events.wait("call.ended", call=call)
        eventually(lambda: any(lease.token in one.state.ended_leases for one in list(events.events) if one.state))
    events.close()


def test_a_lease_that_nobody_can_tell_the_end_of_is_gone_from_a_mirror_after_a_restart(
    host: ScriptedHost, start_daemon: StartDaemon
) -> None:
    """The daemon alone tells of a lease that is given back; it dies before that is on disk."""
    daemon = start_daemon()
    with daemon.client() as client:
        lease = client.allocate(span="east")
        before = Listener(daemon.socket, snapshot=True)
        assert before.snapshot is not None
        assert [one.token for one in before.snapshot.leases] == [lease.token]
        cursor = before.cursor
        before.close()
        daemon.kill()
    daemon.start()
    mirror, filtered = Listener(daemon.socket, after=cursor), Listener(daemon.socket, after=cursor, kinds=["dchannel."])
    eventually(lambda: mirror.snapshot is not None and mirror.snapshot.leases == [])
    host.say("dchannel.down", span="east")
    for listener in (mirror, filtered):
        listener.wait("dchannel.down")
        assert "gap" not in listener.kinds()
    assert filtered.snapshot is None
    live = Listener(daemon.socket, after=mirror.cursor)
    host.say("dchannel.up", span="east")
    live.wait("dchannel.up")
    assert live.snapshot is None
    for listener in (mirror, filtered, live):
        listener.close()


def test_a_group_hears_the_same_live_and_from_a_cursor(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    """What was asked through one of two groups of a channel stays that group's when it is over."""
    daemon = start_daemon(more='[[groups]]\nname = "low"\nspans = ["east:1-9"]\n')
    host.asked("Ready")
    start = Listener(daemon.socket)
    start.close()
    live = {group: Listener(daemon.socket, group=group) for group in ("low", "east")}
    with daemon.client() as client:
        for group in live:
            lease = client.allocate(group=group)
            client.release(lease.token)
            call = client.place("2001", group=group).call
            said = Attempted(attempt=1, called=Party(number="2001"), calling=Party(), bearer=Bearer(), group=group)
            host.say("call.attempt", said, span="east", timeslot=lease.timeslot, call=call)
            host.end(call, "east", lease.timeslot, direction="outgoing")
        host.say("dchannel.down", span="east")
        for group, listener in live.items():
            listener.wait("dchannel.down")
            later = Listener(daemon.socket, after=start.cursor, group=group)
            later.wait("dchannel.down")
            heard = [[each.n for each in one.events if each.kind[:5] != "alarm"] for one in (listener, later)]
            assert heard[0] == heard[1]
            assert {each.group for each in later.events if each.call or each.token} == {group}
            assert later.kinds().count("call.ended") == 1
            later.close()
    for listener in live.values():
        listener.close()


def test_who_looks_and_who_works_follow_events_without_disturbing_each_other(
    daemon: DaemonProcess, host: ScriptedHost
) -> None:
    """Each socket counts its connections for itself."""
    views = [Listener(daemon.run / "view.sock") for _ in range(3)]
    works = [Listener(daemon.socket) for _ in range(3)]
    views.pop(0).close()
    works.pop().close()
    with daemon.client() as client:
        eventually(lambda: client.status().clients == 1 + len(views) + len(works))
    works += [Listener(daemon.socket) for _ in range(2)]
    host.say("dchannel.down", span="east")
    for listener in (*views, *works):
        listener.wait("dchannel.down")
        listener.close()


@pytest.mark.parametrize("journal", ["journal = true", "journal = false"])
def test_a_snapshot_is_the_state_at_its_cursor(start_host: StartHost, start_daemon: StartDaemon, journal: str) -> None:
    # Both hosts are there: an alarm would be an event of its own, and might carry the state.
    hosts = start_host(), start_host("b", "west")
    daemon = start_daemon(service=journal)
    for host in hosts:
        host.asked("Ready")
    with daemon.client() as client:
        lease = client.allocate(group="east", detach_s=60)
        follower = Listener(daemon.socket, snapshot=True)
        assert follower.snapshot is not None
        assert [one.token for one in follower.snapshot.leases] == [lease.token]
        held = next(one for one in follower.snapshot.channels if one.token)
        assert (held.span, held.timeslot, held.usage) == ("east", 1, "busy")
        client.release(lease.token)
        ended = follower.wait("channel.released")
        assert [event.kind for event in follower.events] == ["channel.released"]
        assert ended.state is not None
        assert (ended.state.ended_leases, [one.usage for one in ended.state.channels]) == ([lease.token], ["idle"])
        follower.close()
