# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a channel may come from: the hosts to ask, in order, and which of their spans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dahdi_py.daemon.checks import refuse_parameter
from dahdi_py.daemon.control import Control
from dahdi_py.daemon.link import Link
from dahdi_py.errors import DahdiPyError, HostUnavailable, NoChannel, NotFound, OutOfService, UntrustedMedia


@dataclass(frozen=True, slots=True)
class Route:
    """One host to ask, for a channel of these spans."""

    link: Link
    spans: list[str]
    order: str = ""


class Routes:
    """Every group's and span's hosts, worked out once.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._inventory = control.inventory
        self._groups = {group.name: self._of(group.spans, str(group.hunt or "")) for group in control.config.groups}
        self._spans: dict[str, list[Route]] = {}
        for span in control.config.spans:
            self._spans[span.name] = self._spans[str(span.number)] = self._of([span.name], "")
        # A number that looks like another span's name means that name.
        for span in control.config.spans:
            self._spans[span.name] = self._of([span.name], "")

    def find(self, group: str, span: str, timeslot: int = 0) -> Sequence[Route]:
        """The hosts of that group, or of that span; one of the two is given.

        Raises:
            NotFound: No such group, span or B-channel.
            InvalidParameter: Both are given, or neither, or a timeslot without its span.
        """
        if bool(group) == bool(span):
            raise refuse_parameter("group" if group else "span", "name a group or a span, one of the two")
        if group:
            if timeslot:
                raise refuse_parameter("timeslot", "a timeslot needs its span, not a group")
            routes = self._groups.get(group)
            if routes is None:
                known = ", ".join(self._groups) or "none is configured"
                raise NotFound(f"no group {group!r}; groups: {known}", kind="group", name=group)
            return routes
        routes = self._spans.get(span)
        if routes is None:
            self._inventory.span(span)
            raise NotFound(f"no span {span!r}", kind="span", name=span)
        if timeslot:
            self._check_timeslot(routes[0].spans[0], timeslot)
        return routes

    def without_kernel(self, routes: Sequence[Route]) -> Sequence[Route]:
        """The routes over spans whose descriptors anybody may hold.

        Raises:
            UntrustedMedia: There are none.
        """
        spans = self._inventory.spans
        if not any(spans[name].kernel for route in routes for name in route.spans):
            return routes
        kept = [
            Route(route.link, open_spans, route.order)
            for route in routes
            if (open_spans := [name for name in route.spans if not spans[name].kernel])
        ]
        if not kept:
            raise UntrustedMedia(
                f"channels of {', '.join(name for route in routes for name in route.spans)} are kernel descriptors, "
                "which could change other channels: they go to root and to users named in access.trusted_media of the "
                "configuration; allocate with open=false to reserve without one",
                setting="access.trusted_media",
            )
        return kept

    def elsewhere(self, error: DahdiPyError) -> bool:
        """Whether another host may have what this one has not."""
        return isinstance(error, NoChannel | OutOfService | HostUnavailable)

    def none_up(self, routes: Sequence[Route]) -> HostUnavailable:
        """Why none of the hosts could be asked."""
        names = ", ".join(dict.fromkeys(route.link.name for route in routes))
        problems = "; ".join(filter(None, (self._control.hosts[route.link.name].problem for route in routes)))
        why = f": {problems}" if problems else ""
        return HostUnavailable(f"line host {names} is not connected{why}", host=names)

    def _of(self, spans: Sequence[str], order: str) -> list[Route]:
        by_host: dict[str, list[str]] = {}
        for name in spans:
            by_host.setdefault(self._inventory.spans[name].config.host, []).append(name)
        return [Route(self._control.hosts[host].link, names, order) for host, names in by_host.items()]

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
