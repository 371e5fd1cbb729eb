# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py api``: any method of the control socket by name, its description, and the stream of events."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from dahdi_py.cli.command import Noun
from dahdi_py.cli.output import note, print_json, print_json_line
from dahdi_py.cli.session import Session, pass_session
from dahdi_py.cli.times import local_clock
from dahdi_py.wire.messages.common import CursorRequest
from dahdi_py.wire.messages.events import Event, MonitorRequest


@click.group(cls=Noun, default="introspect")
def api() -> None:
    """The control socket itself: methods and events."""


@api.command()
@click.argument("method")
@click.argument("parameters", default="{}")
@pass_session
def call(session: Session, method: str, parameters: str) -> None:
    """Call METHOD with PARAMETERS, and print the reply.

    METHOD is such as org.dahdipy.Spans.List; PARAMETERS are a JSON object, - reads it from stdin.
    The leading org.dahdipy. may be left out. Descriptors that come with the reply are counted and closed.
    """
    reply, descriptors = session.raw_call(_whole(method), _object(parameters))
    click.echo(json.dumps(reply, indent=2, ensure_ascii=False))
    if descriptors:
        note(f"{descriptors} descriptor{'s' if descriptors > 1 else ''} came with the reply, closed now")


def _whole(method: str) -> str:
    return method if method.count(".") > 1 else f"org.dahdipy.{method}"


def _object(text: str) -> dict[str, Any]:
    try:
        parameters = json.loads(sys.stdin.read() if text == "-" else text)
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}", param_hint="PARAMETERS") from None
    if not isinstance(parameters, dict):
        raise click.BadParameter('a JSON object is needed, such as {"span": "1"}', param_hint="PARAMETERS")
    return parameters


@api.command()
@click.argument("interface", default="")
@pass_session
def introspect(session: Session, interface: str) -> None:
    """Print the description of INTERFACE, or the list of all."""
    if interface:
        name = interface if "." in interface else f"org.dahdipy.{interface}"
        reply, _ = session.raw_call("org.varlink.service.GetInterfaceDescription", {"interface": name})
    else:
        reply, _ = session.raw_call("org.varlink.service.GetInfo", {})
    if session.json:
        print_json(reply)
    elif interface:
        click.echo(str(reply["description"]).rstrip())
    else:
        click.echo(f"{reply['vendor']} {reply['product']} {reply['version']} {reply['url']}\n")
        click.echo("\n".join(reply["interfaces"]))


@api.command()
@click.option("--kinds", multiple=True, metavar="KIND", help="Only these kinds, or those beginning so (call.).")
@click.option("--span", default="", help="Only of this span.")
@click.option("--call", "call_id", default="", help="Only of this call.")
@click.option("--after", metavar="EPOCH:N", help="Everything later than this cursor first.")
@pass_session
def monitor(session: Session, kinds: tuple[str, ...], span: str, call_id: str, after: str | None) -> None:
    """Follow events until Ctrl-C, one a line."""
    words = [kind for group in kinds for kind in group.split(",")]
    request = MonitorRequest(kinds=words, span=span, call=call_id, after=_cursor(after))
    for event in session.follow(request):
        if session.json:
            print_json_line(event)
        else:
            click.echo(event_line(event))


def _cursor(text: str | None) -> CursorRequest | None:
    if text is None:
        return None
    epoch, _, n = text.partition(":")
    if not (epoch.isdigit() and n.isdigit()):
        raise click.BadParameter("write EPOCH:N, such as 3:120", param_hint="--after")
    return CursorRequest(epoch=int(epoch), n=int(n))


def event_line(event: Event) -> str:
    """The event on one line: cursor, time of day, kind, what it concerns, its data."""
    place = f" {event.span}" + (f":{event.timeslot}" if event.timeslot else "") if event.span else ""
    concerns = f"{f' host {event.host}' if event.host else ''}{place}{f' {event.call}' if event.call else ''}"
    data = f" {json.dumps(event.data, ensure_ascii=False)}" if event.data else ""
    return f"{event.epoch}:{event.n} {local_clock(event.utc_ns)} {event.kind}{concerns}{data}"
