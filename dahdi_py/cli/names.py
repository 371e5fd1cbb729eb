# SPDX-License-Identifier: GPL-2.0-or-later
"""Names on the command line: completed from the daemon when it answers fast, and a call's id from its beginning."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from dahdi_py.cli.session import Session
from dahdi_py.errors import DahdiPyError, NotFound
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.calls import CallList
from dahdi_py.wire.messages.groups import GroupList
from dahdi_py.wire.messages.hosts import HostList
from dahdi_py.wire.messages.spans import SpanList

# Longer than a daemon at work needs, shorter than a person at the TAB key notices.
_COMPLETION_S = 0.3


class _Named(click.ParamType):  # type: ignore[type-arg] # generic from click 8.5 on
    """A name that the daemon knows, with a word of help for each."""

    def __init__(self, name: str, known: Callable[[Session], Iterable[tuple[str, str]]]) -> None:
        self.name = name
        self._known = known

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The known names that begin so; none when the daemon does not answer at once."""
        session = ctx.ensure_object(Session)
        try:
            found = list(self._known(session.hurried(_COMPLETION_S)))
        except (DahdiPyError, OSError):
            return []
        return [CompletionItem(name, help=words) for name, words in found if name.startswith(incomplete)]


def _spans(session: Session) -> Iterable[tuple[str, str]]:
    spans = session.ask("org.dahdipy.Spans.List", Empty(), SpanList).spans
    yield from ((str(span.number), f"{span.name}, {span.type}, {span.state}") for span in spans)
    yield from ((span.name, f"span {span.number}, {span.type}, {span.state}") for span in spans)


def _groups(session: Session) -> Iterable[tuple[str, str]]:
    groups = session.ask("org.dahdipy.Groups.List", Empty(), GroupList).groups
    return ((group.name, f"{group.usable - group.used} free") for group in groups)


def _hosts(session: Session) -> Iterable[tuple[str, str]]:
    hosts = session.ask("org.dahdipy.Hosts.List", Empty(), HostList).hosts
    return ((host.name, host.state) for host in hosts)


def _calls(session: Session) -> Iterable[tuple[str, str]]:
    calls = session.ask("org.dahdipy.Calls.List", Empty(), CallList).calls
    return ((call.call, f"{call.direction}, {call.phase}, {call.called.number}") for call in calls)


class SpanParam(_Named):
    """A span, by number or configured name."""

    def __init__(self) -> None:
        super().__init__("SPAN", _spans)


class GroupParam(_Named):
    """A trunk group, by name."""

    def __init__(self) -> None:
        super().__init__("GROUP", _groups)


class HostParam(_Named):
    """A line host, by name."""

    def __init__(self) -> None:
        super().__init__("HOST", _hosts)


class CallParam(_Named):
    """A call, by id."""

    def __init__(self) -> None:
        super().__init__("CALL", _calls)


def whole_call(session: Session, beginning: str) -> str:
    """The id of the one call that is up and whose id begins so.

    Raises:
        NotFound: No call's id begins so, or more than one does.
    """
    calls = session.ask("org.dahdipy.Calls.List", Empty(), CallList).calls
    found = [call.call for call in calls if call.call.startswith(beginning)]
    if beginning in found:
        return beginning
    if not found:
        why = f"no call {beginning} is up; `dahdi-py calls` shows those that are"
    elif len(found) > 1:
        why = f"{beginning} is the beginning of several calls: {', '.join(found)}"
    else:
        return found[0]
    raise NotFound(why, kind="call", name=beginning)
