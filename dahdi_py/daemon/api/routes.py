# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a channel may come from: the hosts to ask, in order, and for which of their channels."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dahdi_py.core.access import OPERATE
from dahdi_py.core.config import Group
from dahdi_py.core.routing import Part, Routing, Section
from dahdi_py.core.trunkgroup import default_order
from dahdi_py.daemon import older
from dahdi_py.daemon.checks import refuse_parameter
from dahdi_py.daemon.circuits import Channel
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.control import Control
from dahdi_py.daemon.link import Link
from dahdi_py.daemon.who import Who
from dahdi_py.errors import DahdiPyError, HostUnavailable, NoChannel, NotFound, OutOfService, UntrustedMedia

ALL = -1
"""As a mask: every timeslot."""


@dataclass(frozen=True, slots=True)
class Route:
    """One host to ask, for a channel of these spans.

    Attributes:
        masks: For each span the timeslots that count; empty for all.
        group: The trunk group that the channel would be of; empty when a span was named.
        spare: So many channels must stay free there, as of when it is asked.
        reserved: So many of the group's channels are not for who asks.
        relay: Its descriptors are to be relayed: who asks is not trusted with the kernel's.
    """

    link: Link
    spans: list[str]
    order: str = ""
    masks: list[int] = field(default_factory=list)
    group: str = ""
    spare: int = 0
    relay: bool = False
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class _Group:
    """A trunk group ready to be hunted; `simple` is its only route, when it always has the same."""

    conf: Group
    routing: Routing
    priority: Who
    simple: Route | None


class Routes:
    """Every group's and span's hosts.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._inventory = control.inventory
        config = control.config
        self._groups = {group.name: self._prepare(f"groups[{at}]", group) for at, group in enumerate(config.groups)}
        self._spans: dict[str, list[Route]] = {}
        for span in config.spans:
            self._spans[span.name] = self._spans[str(span.number)] = [Route(self._link(span.host), [span.name])]
        self._reserves = any(group.reserve_last for group in config.groups)
        self._under_way: list[Route] = []
        # A number that looks like another span's name means that name.
        for span in config.spans:
            self._spans[span.name] = [Route(self._link(span.host), [span.name])]

    def find(
        self, group: str, span: str, timeslot: int = 0, *, client: Client | None = None,
        exclude: Sequence[str] = (), emergency: bool = False,
    ) -> Sequence[Route]:  # fmt: skip
        """The hosts of that group and of those it overflows to, or of that span; one of the two is given.

        Args:
            client: Who asks: one with priority may have the reserved channels too.
            exclude: With a group: not on these spans.
            emergency: Reserved channels and groups that are being drained are for it.

        Raises:
            NotFound: No such group, span or B-channel.
            InvalidParameter: Both are given, or neither, or what belongs to the other.
            OutOfService: The group is locked or drained.
            NoChannel: Nothing is left of it without the excluded spans.
        """
        if bool(group) == bool(span):
            raise refuse_parameter("group" if group else "span", "name a group or a span, one of the two")
        if group:
            if timeslot:
                raise refuse_parameter("timeslot", "a timeslot needs its span, not a group")
            return self._of_group(group, client, self._names(exclude), emergency)
        if exclude:
            raise refuse_parameter("exclude", "a span is named already: only a group has spans to leave out")
        routes = self._spans.get(span)
        if routes is None:
            self._inventory.span(span)
            raise NotFound(f"no span {span!r}", kind="span", name=span)
        if timeslot:
            self._check_timeslot(routes[0].spans[0], timeslot)
        return [self._of_span(route, timeslot, client, emergency) for route in routes]

    def limiting(self, span: str, timeslot: int = 0, *, client: Client) -> tuple[str, ...]:
        """The groups whose limits hold for who names the span instead: all its channels' ones, for an operator none.

        Args:
            timeslot: Of the one channel that is meant; 0 for any.
        """
        if OPERATE in client.roles:
            return ()
        channels = self._inventory.span(span).channels
        own = [channels[timeslot]] if timeslot in channels else channels.values()
        return tuple(dict.fromkeys(name for channel in own for name in channel.groups))

    def require_whole(self, span: str, client: Client) -> None:
        """The groups that the span's channels are in let the client have them all.

        Raises:
            OutOfService: A group is locked or drained.
            NoChannel: A group's last channels are among them.
        """
        channels = self._inventory.span(span).channels.values()
        groups = self.limiting(span, client=client)
        taken = {name: sum(name in channel.groups for channel in channels) for name in groups}
        shut = self._shut(taken, client, emergency=False)
        for channel in channels:
            if (problem := _refusal(channel, shut)) is not None:
                raise problem

    def _of_span(self, route: Route, timeslot: int, client: Client | None, emergency: bool) -> Route:
        """The span's route without the channels that their groups keep from the client."""
        name = route.spans[0]
        groups = self.limiting(name, timeslot, client=client) if client is not None else ()
        shut = self._shut(dict.fromkeys(groups, 1), client, emergency)
        if not shut:
            return route
        channels = self._inventory.spans[name].channels
        asked = [channels[timeslot]] if timeslot else list(channels.values())
        problems = {channel.timeslot: problem for channel in asked if (problem := _refusal(channel, shut)) is not None}
        if len(problems) == len(asked):
            raise next(iter(problems.values()))
        mask = sum(1 << channel.timeslot for channel in asked if channel.timeslot not in problems)
        return replace(route, masks=[mask]) if problems else route

    def _shut(self, taken: Mapping[str, int], client: Client | None, emergency: bool) -> dict[str, DahdiPyError]:
        """Which of the groups do not give the client so many, and why."""
        shut: dict[str, DahdiPyError] = {}
        for name, wanted in taken.items():
            group = self._groups[name]
            try:
                self._control.administration.require_group(name, emergency)
            except OutOfService as error:
                shut[name] = error
                continue
            reserved = self._reserved(group, client, emergency)
            if reserved and self._left(group.routing.sections) < reserved + wanted:
                what = f"group {name}: the last {reserved} channels are reserved"
                shut[name] = NoChannel(what, cause=34, reserved=reserved)
        return shut

    def asking(self, route: Route) -> Route:
        """The route as it is asked now; what may come of it counts as taken until `answered`."""
        if not self._reserves:
            return route
        if route.reserved:
            route = replace(route, spare=self._spare(route))
        self._under_way.append(route)
        return route

    def answered(self, route: Route) -> None:
        """What came of the route is in the inventory."""
        if self._reserves:
            self._under_way.remove(route)

    def took(self, route: Route, span: str, timeslot: int) -> None:
        """The channel came of that route."""
        if route.group:
            self._groups[route.group].routing.took(span, timeslot)

    def for_anybody(self, routes: Sequence[Route]) -> Sequence[Route]:
        """The routes to descriptors that anybody may hold: hosts relay the kernel's, but for those of protocol 1.

        Raises:
            UntrustedMedia: There are none.
        """
        kept = [one for route in routes if (one := self._for_anybody(route)) is not None]
        if not kept:
            raise UntrustedMedia(
                f"channels of {', '.join(name for route in routes for name in route.spans)} are kernel descriptors, "
                "which could change other channels: they go to root and to users named in access.trusted_media of the "
                "configuration; allocate with open=false to reserve without one",
                setting="access.trusted_media",
            )
        return kept

    def _for_anybody(self, route: Route) -> Route | None:
        spans = self._inventory.spans
        if not any(spans[name].kernel for name in route.spans):
            return route
        if older.speaks(route.link, 2) or not route.link.up:
            return replace(route, relay=True)
        masks = route.masks or [ALL] * len(route.spans)
        others = [pair for pair in zip(route.spans, masks, strict=True) if not spans[pair[0]].kernel]
        only = [mask for _, mask in others] if route.masks else []
        return replace(route, spans=[name for name, _ in others], masks=only) if others else None

    def elsewhere(self, error: DahdiPyError) -> bool:
        """Whether another host may have what this one has not."""
        return isinstance(error, NoChannel | OutOfService | HostUnavailable)

    def none_up(self, routes: Sequence[Route]) -> HostUnavailable:
        """Why none of the hosts could be asked."""
        names = ", ".join(dict.fromkeys(route.link.name for route in routes))
        stalled = ", ".join(dict.fromkeys(route.link.name for route in routes if route.link.stalled))
        if stalled:
            return HostUnavailable(f"line host {stalled} does not answer", host=stalled)
        problems = "; ".join(filter(None, (self._control.hosts[route.link.name].problem for route in routes)))
        why = f": {problems}" if problems else ""
        return HostUnavailable(f"line host {names} is not connected{why}", host=names)

    def _link(self, host: str) -> Link:
        return self._control.hosts[host].link

    def _prepare(self, where: str, group: Group) -> _Group:
        spans = self._inventory.spans
        sections = []
        for span, mask in self._control.config.members(group):
            conf = spans[span].config
            whole = mask.bit_count() == len(conf.bchannels)
            sections.append(Section(conf.host, span, mask, whole))
        order = group.hunt or default_order(spans[sections[0].span].config.node)
        routing = Routing(sections, order)
        priority = Who.parse(group.priority, f"{where}.priority")
        fixed = len({section.host for section in sections}) == 1 and not group.reserve_last
        parts = routing.parts(free=self._free, oldest=self._oldest) if fixed else []
        simple = self._route(parts[0], group.name) if parts else None
        return _Group(group, routing, priority, simple)

    def _of_group(
        self, name: str, client: Client | None, exclude: Sequence[str], emergency: bool
    ) -> Sequence[Route]:  # fmt: skip
        held = [] if emergency else self._held()
        routes, problem = self._along(name, client, [*exclude, *held], emergency)
        if held:
            # Spans that come and go are the last choice, behind those of the groups that this one overflows to.
            steady = [span for span in self._inventory.spans if span not in held]
            last, problem = self._along(name, client, [*exclude, *steady], emergency)
            routes += last
        if not routes:
            raise problem or NoChannel(f"group {name}: every span is excluded", cause=34)
        return routes

    def _held(self) -> list[str]:
        """The spans that are held down now."""
        until = self._inventory.held_until
        now_ns = time.time_ns() if until else 0
        return [name for name, at_ns in until.items() if now_ns < at_ns]

    def _along(
        self, name: str, client: Client | None, exclude: Sequence[str], emergency: bool
    ) -> tuple[list[Route], DahdiPyError | None]:
        """The routes of the group and of those it overflows to, and why one of these gives none."""
        routes: list[Route] = []
        problem: DahdiPyError | None = None
        following: str | None = name
        while following is not None:
            group = self._groups.get(following)
            if group is None:
                known = ", ".join(self._groups) or "none is configured"
                raise NotFound(f"no group {name!r}; groups: {known}", kind="group", name=name)
            try:
                self._control.administration.require_group(following, emergency)
                routes += self._own(group, client, exclude, emergency)
            except OutOfService as error:
                problem = problem or error
            following = group.conf.overflow
        return routes, problem

    def _own(self, group: _Group, client: Client | None, exclude: Sequence[str], emergency: bool) -> list[Route]:
        if group.simple is not None and not exclude:
            return [group.simple]
        reserved = self._reserved(group, client, emergency)
        parts = group.routing.parts(exclude, free=self._free, oldest=self._oldest)
        return [self._route(part, group.conf.name, reserved) for part in parts]

    def _reserved(self, group: _Group, client: Client | None, emergency: bool) -> int:
        """How many of the group's last channels are not for the client."""
        first = emergency or (client is not None and group.priority.includes(client))
        return 0 if first else group.conf.reserve_last

    def _route(self, part: Part, group: str, reserved: int = 0) -> Route:
        return Route(self._link(part.host), part.spans, part.order, part.masks, group, reserved=reserved)

    def _spare(self, route: Route) -> int:
        """Of the channels to be kept so many that the rest of the group does not have free now."""
        asked = dict(zip(route.spans, route.masks or [ALL] * len(route.spans), strict=True))
        sections = self._groups[route.group].routing.sections
        rest = [one._replace(mask=one.mask & ~asked.get(one.span, 0)) for one in sections]
        return max(0, route.reserved - self._left([one for one in rest if one.mask]))

    def _left(self, sections: Sequence[Section]) -> int:
        """How many of their channels are free and stay so, whatever comes of the requests under way."""
        left = 0
        for host in {one.host for one in sections}:
            own = [one for one in sections if one.host == host]
            spans = {one.span for one in own}
            under_way = sum(not spans.isdisjoint(route.spans) for route in self._under_way)
            left += max(0, sum(map(self._free, own)) - under_way)
        return left

    def _free(self, section: Section) -> int:
        one = self._inventory.spans[section.span]
        if one.disabled:
            return 0
        return sum(channel.free and section.mask >> timeslot & 1 for timeslot, channel in one.channels.items())

    def _oldest(self, section: Section) -> int:
        one = self._inventory.spans[section.span]
        ages = (channel.idle_since for t, channel in one.channels.items() if channel.free and section.mask >> t & 1)
        return min(ages, default=1 << 62)

    def _names(self, spans: Sequence[str]) -> list[str]:
        return [self._inventory.span(name).name for name in spans]

    def _check_timeslot(self, span: str, timeslot: int) -> None:
        config = self._inventory.spans[span].config
        if timeslot not in config.bchannels:
            last = config.type.timeslots[-1]
            what = "its D-channel" if timeslot == config.dchannel_timeslot else f"not one of 1-{last}"
            raise NotFound(
                f"span {span} has no B-channel in timeslot {timeslot}: that is {what}",
                kind="channel",
                name=f"{span}:{timeslot}",
            )


def _refusal(channel: Channel, shut: Mapping[str, DahdiPyError]) -> DahdiPyError | None:
    """Why the channel's groups keep it: its last ones are reserved in one of them, or all take nothing new."""
    own = [shut[name] for name in channel.groups if name in shut]
    kept = [error for error in own if isinstance(error, NoChannel)]
    if kept or (own and len(own) == len(channel.groups)):
        return (kept or own)[0]
    return None
