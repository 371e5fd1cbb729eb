# SPDX-License-Identifier: GPL-2.0-or-later
# Written by scripts/write_blocking_client.py from the asyncio client: change that one.
"""The blocking client: what is, what happened, and what an operator does."""

from __future__ import annotations

from dahdi_py.client.blocking_asker import Asker
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import channels, groups, hosts, spans
from dahdi_py.wire.messages.alarms import (
    AcknowledgeReply,
    AcknowledgeRequest,
    Alarm,
    AlarmList,
    ClearRequest,
    HistoryReply,
    HistoryRequest,
)
from dahdi_py.wire.messages.channels import Channel as ChannelStatus
from dahdi_py.wire.messages.channels import ChannelList, ListRequest
from dahdi_py.wire.messages.common import AdministerReply, Cursor
from dahdi_py.wire.messages.daemon import AuditEntry, AuditReply, AuditRequest, Status, StopRequest
from dahdi_py.wire.messages.events import MonitorReply
from dahdi_py.wire.messages.groups import Group, GroupList, GroupName, GroupReply
from dahdi_py.wire.messages.hosts import DrainRequest, Host, HostList
from dahdi_py.wire.messages.performance import ClockReply, PerformanceReply, PerformanceRequest, SpanPerformance
from dahdi_py.wire.messages.spans import LiftRequest, Span, SpanList, SpanName, SpanReply


class State(Asker):
    """The state of the service, and its administration.

    Synchronization: external.
    """

    def status(self) -> Status:
        """What the daemon is, and whether all is well."""
        return self._call("Daemon.Status", None, Status)

    def stop_daemon(self, *, service: bool = False) -> None:
        """The daemon stops and calls go on; with `service` calls are cleared and hosts and cards end too."""
        self._call("Daemon.Stop", StopRequest(service=service), Empty)

    def audit(self, *, limit: int = 100, uid: int = -1, action: str = "", refused: bool = False) -> list[AuditEntry]:
        """Who asked for what and what came of it, newest first; of one user, one action, or only what was refused."""
        request = AuditRequest(limit=limit, uid=uid, action=action, refused=refused)
        return self._call("Daemon.Audit", request, AuditReply).entries

    def spans(self) -> list[Span]:
        """Every span, by number."""
        return self._call("Spans.List", None, SpanList).spans

    def span(self, span: str) -> Span:
        """One span, by name or number."""
        return self._call("Spans.Get", SpanName(span=span), SpanReply).span

    def performance(
        self,
        span: str = "",
        *,
        intervals: int | None = None,
        days: int | None = None,
        errored: int = 0,
        norm: str = "",
        end: str = "",
    ) -> list[SpanPerformance]:
        """How good one span's line is and was, by name or number, or every span's.

        Args:
            intervals: So many closed quarter hours at most, 0-96; left out: 96 of one span, none of every span.
            days: So many closed days at most, 0-31; left out: 31 of one span, none of every span.
            errored: So many runs of errored seconds at most, 0-200.
            norm: Only by RFC 4805, T1.231 or G.826.
            end: Only near or far.
        """
        request = PerformanceRequest(span=span, intervals=intervals, days=days, errored=errored, norm=norm, end=end)
        return self._call("Spans.Performance", request, PerformanceReply).spans

    def clock(self) -> ClockReply:
        """Where every span takes its timing from, and what is wrong with that."""
        return self._call("Spans.Clock", None, ClockReply)

    def groups(self) -> list[Group]:
        """Every trunk group."""
        return self._call("Groups.List", None, GroupList).groups

    def group(self, group: str) -> Group:
        """One trunk group."""
        return self._call("Groups.Get", GroupName(group=group), GroupReply).group

    def channels(self, span: str = "") -> list[ChannelStatus]:
        """The state of every B-channel, or of one span's."""
        return self._call("Channels.List", ListRequest(span=span), ChannelList).channels

    def hosts(self) -> list[Host]:
        """Every line host."""
        return self._call("Hosts.List", None, HostList).hosts

    def alarms(self) -> list[Alarm]:
        """What is wrong now: each root, the worst first, and under it what it explains."""
        return self._call("Alarms.List", None, AlarmList).alarms

    def alarm_history(self, *, limit: int = 100, span: str = "", circuit: str = "", kind: str = "") -> list[Alarm]:
        """Alarms of the past and now, newest first; of one circuit (or the span that has it now), or of one kind."""
        request = HistoryRequest(limit=limit, span=span, circuit=circuit, kind=kind)
        return self._call("Alarms.History", request, HistoryReply).alarms

    def acknowledge_alarm(self, alarm: int, note: str = "", *, on: bool = True) -> Alarm:
        """Whoever looks sees that somebody has seen the alarm of that id; `on` False takes it back."""
        request = AcknowledgeRequest(id=alarm, note=note, on=on)
        return self._call("Alarms.Acknowledge", request, AcknowledgeReply).alarm

    def clear_alarm(self, kind: str, subject: str) -> None:
        """An alarm that tells of something past, such as a failed emergency call, is gone."""
        self._call("Alarms.Clear", ClearRequest(kind=kind, subject=subject), Empty)

    def lift_hold_down(self, span: str) -> Span:
        """The span is among the first choices for outgoing calls again, though it came and went."""
        return self._call("Spans.LiftHoldDown", LiftRequest(span=span), SpanReply).span

    def drain(self, host: str, *, on: bool = True) -> None:
        """The host takes no new calls, or takes them again."""
        self._call("Hosts.Drain", DrainRequest(host=host, on=on), Empty)

    def administer_channel(
        self, span: str, timeslot: int, state: str, reason: str = "", *, force: bool = False
    ) -> AdministerReply:
        """The channel is `unlocked`, `shutting_down` (locked once it is empty) or `locked`; says what the far end sees.

        Args:
            reason: Why; needed but for unlocking.
            force: Lock it although it is busy: its call is cleared, unless it is an emergency call.
        """
        request = channels.AdministerRequest(span=span, timeslot=timeslot, state=state, reason=reason, force=force)
        return self._call("Channels.Administer", request, AdministerReply)

    def administer_span(self, span: str, state: str, reason: str = "", *, force: bool = False) -> AdministerReply:
        """Every B-channel of the span is as `administer_channel` says."""
        request = spans.AdministerRequest(span=span, state=state, reason=reason, force=force)
        return self._call("Spans.Administer", request, AdministerReply)

    def administer_group(self, group: str, state: str, reason: str = "", *, force: bool = False) -> AdministerReply:
        """The group takes nothing new, or does again; its channels stay as they are for other groups."""
        request = groups.AdministerRequest(group=group, state=state, reason=reason, force=force)
        return self._call("Groups.Administer", request, AdministerReply)

    def administer_host(self, host: str, state: str, reason: str = "", *, force: bool = False) -> AdministerReply:
        """Every span of the host is as `administer_channel` says."""
        request = hosts.AdministerRequest(host=host, state=state, reason=reason, force=force)
        return self._call("Hosts.Administer", request, AdministerReply)

    def position(self) -> Cursor:
        """The cursor of the newest event."""
        return self._call("Events.Position", None, MonitorReply).cursor
