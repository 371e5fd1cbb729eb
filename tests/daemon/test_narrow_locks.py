# SPDX-License-Identifier: GPL-2.0-or-later
"""What was locked by itself stays locked until it is unlocked by itself, whatever is done to what is around it."""

from __future__ import annotations

import pytest

from dahdi_py.wire.messages import channels, groups, hosts, spans
from dahdi_py.wire.messages.common import AdministerReply
from tests.daemon.process import Client, DaemonProcess, Listener, eventually
from tests.daemon.scripted_host import ScriptedHost
from tests.daemon.test_administration import administer, obedient

__all__ = ["obedient"]

Shown = tuple[str, str]
"""State and reason."""

FREE, CARD = ("unlocked", ""), ("locked", "card bad")
SPAN_DRAIN, SPAN_LOCK = ("shutting_down", "span works"), ("locked", "span works")
HOST_DRAIN, HOST_LOCK = ("shutting_down", "host works"), ("locked", "host works")
_STATES = {"drain": "shutting_down", "lock": "locked", "unlock": "unlocked"}


def do(client: Client, step: str) -> AdministerReply:
    """A verb and what it is done to."""
    verb, noun = step.split()
    state, reason = _STATES[verb], "" if verb == "unlock" else "card bad" if noun == "5" else f"{noun} works"
    if noun == "5":
        return administer(client, channels.AdministerRequest(span="east", timeslot=5, state=state, reason=reason))
    if noun == "span":
        return administer(client, spans.AdministerRequest(span="east", state=state, reason=reason))
    if noun == "group":
        return administer(client, groups.AdministerRequest(group="east", state=state, reason=reason))
    return administer(client, hosts.AdministerRequest(host="a", state=state, reason=reason))


def shown(client: Client) -> tuple[Shown, Shown]:
    """Timeslots 5 and 6."""
    of = {one.timeslot: (one.administrative, one.why) for one in client.channels("east")}
    return of[5], of[6]


@pytest.mark.parametrize(
    ("steps", "five", "six"),
    [
        (["lock 5", "drain span"], CARD, SPAN_DRAIN),
        (["lock 5", "drain span", "unlock span"], CARD, FREE),
        (["drain span", "lock 5", "unlock span"], CARD, FREE),
        (["lock 5", "drain host", "unlock host"], CARD, FREE),
        (["lock 5", "drain group", "unlock group"], CARD, FREE),
        (["lock 5", "lock span", "drain host", "unlock host"], CARD, SPAN_LOCK),
        (["lock 5", "lock span", "drain host", "unlock span"], CARD, HOST_DRAIN),
        (["drain 5", "lock span"], SPAN_LOCK, SPAN_LOCK),
        (["drain 5", "lock span", "unlock span"], ("shutting_down", "card bad"), FREE),
        (["lock host", "drain span", "unlock host"], SPAN_DRAIN, SPAN_DRAIN),
        (["drain span", "lock host"], HOST_LOCK, HOST_LOCK),
        # Its own lock is gone, what is around it goes on.
        (["lock 5", "drain host", "unlock 5"], HOST_DRAIN, HOST_DRAIN),
        (["lock 5", "drain host", "unlock 5", "unlock host"], FREE, FREE),
        # With no lock of its own it becomes an exception of what was said before, and of nothing later.
        (["drain host", "unlock 5"], FREE, HOST_DRAIN),
        (["lock span", "unlock 5", "drain host", "unlock host"], FREE, SPAN_LOCK),
        (["lock span", "unlock 5", "drain host"], HOST_DRAIN, SPAN_LOCK),
        (["lock host", "unlock span"], FREE, FREE),
        (["lock 5", "lock host", "unlock span"], CARD, FREE),
    ],
    ids=", ".join,
)
def test_every_order_leaves_each_channel_what_was_said_of_it(
    obedient: ScriptedHost, daemon: DaemonProcess, steps: list[str], five: Shown, six: Shown
) -> None:
    with daemon.client() as client:
        for step in steps:
            do(client, step)
        eventually(lambda: shown(client) == (five, six), f"{shown(client)} after {steps}")
    daemon.stop()
    daemon.start()
    # The host says nothing of its channels when the daemon attaches: it is told again, of all that is not free.
    with daemon.client() as client:
        eventually(lambda: shown(client) == (five, six), f"{shown(client)} after {steps} and a restart")


def test_an_unlock_says_what_stays_locked_and_by_whom(obedient: ScriptedHost, daemon: DaemonProcess) -> None:
    events = Listener(daemon.socket, kinds=["administration.changed"])
    with daemon.client() as client:
        do(client, "lock 5")
        assert obedient.asked("Administer").timeslots == 1 << 5
        do(client, "drain span")
        assert not obedient.asked("Administer").timeslots & 1 << 5, "it has more than that already"
        (told,) = do(client, "unlock span").stays
        assert told.startswith("timeslot 5 of span east stays locked by ")
        assert told.endswith(": card bad")
        unlocked = obedient.asked("Administer")
        assert (unlocked.state, unlocked.timeslots & 1 << 5) == ("unlocked", 0)
        eventually(lambda: [one.data["stays"] for one in events.events if one.data["state"] == "unlocked"] == [[told]])
        do(client, "drain host")
        (told,) = do(client, "unlock 5").stays
        assert told.startswith("host a stays drained by ")
        assert do(client, "unlock host").stays == []
    events.close()
