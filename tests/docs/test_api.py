# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import re

from docs.write_api import DOCUMENT, INTERFACES, document
from tests.docs.test_events import documented


def test_the_document_is_what_the_types_say() -> None:
    assert DOCUMENT.read_text() == document(), "run: .venv/bin/python docs/write_api.py"


def test_every_method_and_event_of_the_document_is_explained() -> None:
    text = document()
    for interface in INTERFACES:
        for method in interface.methods:
            assert method.doc, f"{interface.name}.{method.name}"
            assert f"`{interface.name.rpartition('.')[2]}.{method.name}`" in text
    assert "`call.offered`" in text


def test_each_event_is_listed_by_its_name_alone() -> None:
    events = document().partition("## Events\n")[2].partition("## Errors")[0]
    assert set(re.findall(r"`([^`]*)`", events)) == documented()
