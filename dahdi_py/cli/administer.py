# SPDX-License-Identifier: GPL-2.0-or-later
"""``drain``, ``lock`` and ``unlock``, the same verbs for channels, spans, hosts and groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click
import msgspec

from dahdi_py.cli.command import Command, Noun
from dahdi_py.cli.output import note, print_json
from dahdi_py.cli.session import Session
from dahdi_py.wire.messages.common import AdministerReply
from dahdi_py.wire.messages.events import Event, MonitorRequest
from dahdi_py.wire.messages.spans import SpanName, SpanReply

Asked = Callable[..., msgspec.Struct]
"""Makes the request of the named arguments, `state`, `reason` and `force`."""

_VERBS = {
    "drain": ("shutting_down", "Let it take nothing new; it is locked when the last call on it has ended."),
    "lock": ("locked", "Take it out of use; with --force, calls on it are cleared (never emergency calls)."),
    "unlock": ("unlocked", "Put it back into use."),
}  # fmt: skip


def add_verbs(noun: Noun, subject: str, arguments: Sequence[click.Argument], asked: Asked) -> None:
    """The noun has the three verbs.

    Args:
        subject: What is administered, such as ``span``; the interface is ``org.dahdipy.Spans``.
        arguments: They name it.
    """
    for verb, (state, words) in _VERBS.items():
        noun.add_command(_command(verb, state, words.replace("it", f"a {subject}", 1), subject, arguments, asked))


def _command(
    verb: str, state: str, words: str, subject: str, arguments: Sequence[click.Argument], asked: Asked
) -> click.Command:
    def run(reason: str = "", wait: bool = False, force: bool = False, **named: Any) -> None:
        session = click.get_current_context().ensure_object(Session)
        request = asked(**named, state=state, reason=reason, force=force)
        # Followed before it is asked for: it may be empty at once.
        events = session.follow(MonitorRequest(kinds=["administration.empty"])) if wait else iter(())
        reply = session.ask(f"org.dahdipy.{subject.capitalize()}s.Administer", request, AdministerReply)
        if session.json:
            print_json(reply)
        else:
            click.echo(answer_text(_title(subject, named), reply, wait))
        if wait and reply.busy:
            wanted = (subject, _name(session, subject, named), named.get("timeslot", 0))
            next(event for event in events if _subject(event) == wanted)
            note(f"{_title(subject, named)} is empty")

    options: list[click.Parameter] = list(arguments)
    if state != "unlocked":
        options.append(click.Option(["--reason"], required=True, help="Why; whoever finds it so reads this."))
        options.append(click.Option(["--wait"], is_flag=True, help="Come back when it is empty."))
    if state == "locked":
        options.append(click.Option(["--force"], is_flag=True, help="Clear what is up on it."))
    return Command(verb, params=options, callback=run, help=words)


def answer_text(title: str, reply: AdministerReply, waits: bool = False) -> str:
    """What was done, what is up still, and what the far end sees of it."""
    busy = ""
    if reply.state != "unlocked":
        busy = f", {reply.busy} channel{'' if reply.busy == 1 else 's'} busy"
        if reply.busy and not waits:
            busy += "; the event administration.empty tells when there is none (--wait waits for it)"
    told = [f"  {line}" for line in (*reply.far_end, *reply.stays)]
    return "\n".join([f"{title} is {reply.state.replace('_', ' ')}{busy}.", *told])


def _title(subject: str, named: dict[str, Any]) -> str:
    if subject == "channel":
        return f"timeslot {named['timeslot']} of span {named['span']}"
    return f"{subject} {named[subject]}"


def _subject(event: Event) -> tuple[str, str, int]:
    told = event.data
    return told.get("kind", ""), told.get("name", ""), told.get("timeslot", 0)


def _name(session: Session, subject: str, named: dict[str, Any]) -> str:
    """The configured name: a span may have been named by its number."""
    if "span" not in named:
        return str(named[subject])
    return session.ask("org.dahdipy.Spans.Get", SpanName(span=named["span"]), SpanReply).span.name
