# SPDX-License-Identifier: GPL-2.0-or-later
"""The switching core's document leaves nothing out: every error there is, every event of a call."""

from __future__ import annotations

import re

from dahdi_py import errors
from dahdi_py.wire import refusals
from dahdi_py.wire.messages.events import Event
from tests.system.foreground import ROOT

TEXT = (ROOT / "docs/switching-core.md").read_text()
ERRORS = TEXT[TEXT.index("## Every error") :]


def test_every_error_is_told() -> None:
    told = set(re.findall(r"`\.?(?:org\.varlink\.service\.)?(\w+)`", ERRORS))
    ours = {code.rpartition(".")[2] for code in errors.BY_CODE if code.startswith("org.dahdipy.")}
    ours -= {"UnknownRemoteError", "SocketBusy"}  # a client's own word for a name it does not know; a server's start
    assert ours - told == set()


def test_every_varlink_refusal_is_told() -> None:
    names = {cls.code for cls in vars(refusals).values() if isinstance(cls, type) and hasattr(cls, "code")}
    told = {name for name in names if name.startswith("org.varlink.") and name.rpartition(".")[2] in ERRORS}
    assert told == {name for name in names if name.startswith("org.varlink.")}


def test_every_event_of_a_call_is_told() -> None:
    assert Event.__doc__ is not None
    kinds = set(re.findall(r"call\.[a-z]+", Event.__doc__))
    told = set(re.findall(r"^\| `(call\.[a-z]+)`", TEXT, re.MULTILINE))
    assert told == kinds
