# SPDX-License-Identifier: GPL-2.0-or-later
"""Write docs/api.md from the message types: ``.venv/bin/python docs/write_api.py``. A test holds it current."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from dahdi_py.cli import exits
from dahdi_py.core import access
from dahdi_py.wire.idl import describe, own_errors
from dahdi_py.wire.interface import Interface, Method
from dahdi_py.wire.messages import alarms, calls, channels, daemon, events, groups, hosts, sim, spans

DOCUMENT = Path(__file__).parent / "api.md"
INTERFACES = [module.INTERFACE for module in (spans, channels, groups, calls, alarms, events, hosts, daemon, sim)]

HEAD = """# The control socket: methods, events, errors

Written by `docs/write_api.py` from the message types that the daemon itself uses; the same text is shipped as
`dahdi_py/wire/*.varlink`, and the daemon tells it to whoever asks (`dahdi-py api introspect Calls`). How these methods
make a call is told in [switching-core.md](switching-core.md).

A member whose type begins with `?` may be left out or be null. Roles: `view` < `core`, `tech` < `operate`.
"""

_MATRIX_HEAD = """By role, on the control socket; on `view.sock` nobody may more than `view`. Roles are given to
users and groups in `[access]` of the configuration; root and the group `dahdi` have `operate`. A refusal says which
role was missing and which setting gives it.
"""

_ERRORS_HEAD = """Each comes with `message`, a sentence for a person, and the fields named here. A request that does
not fit is answered with varlink's own `org.varlink.service.InvalidParameter`, `MethodNotFound` or `InterfaceNotFound`.
"""

_KIND = re.compile(r"([a-z]+(?:\.[a-z]+)?)((?: \([^)]*\))?)")
"""A kind of event as the docstring names it, and what it may say about it in brackets."""


def document() -> str:
    """The whole document."""
    methods = [_row(interface, method) for interface in INTERFACES for method in interface.methods]
    parts = [
        HEAD,
        "## Methods\n",
        "| method | does | role | |\n|---|---|---|---|\n" + "".join(methods),
        "## Who may call what\n",
        _MATRIX_HEAD,
        _matrix(),
        "## Events\n",
        _kinds(),
        "## Errors\n",
        _ERRORS_HEAD,
        "| error | meaning | exit code |\n|---|---|---|\n" + "".join(_errors()),
        "## Interfaces\n",
        *(_interface(interface) for interface in INTERFACES),
    ]
    return "\n".join(parts)


def _row(interface: Interface, method: Method) -> str:
    notes = [*(["stream (`more`)"] if method.stream else []), *(["descriptors"] if method.fds else [])]
    name = f"{interface.name.rpartition('.')[2]}.{method.name}"
    return f"| `{name}` | {method.doc} | {method.role} | {', '.join(notes)} |\n"


def _matrix() -> str:
    """Role by method, as the daemon decides it."""
    rows = []
    for interface in INTERFACES:
        for method in interface.methods:
            name = f"{interface.name.rpartition('.')[2]}.{method.name}"
            allowed = ["yes" if method.role in access.implied(role) else "" for role in access.ROLES]
            rows.append(f"| `{name}` | {' | '.join(allowed)} |\n")
    head = f"| method | {' | '.join(access.ROLES)} |\n|---{'|---' * len(access.ROLES)}|\n"
    return head + "".join(rows)


def _kinds() -> str:
    """The kinds of events, from the docstring that is their contract."""
    text = inspect.getdoc(events.Event) or ""
    kinds = text.partition("Kinds: ")[2].partition("\n\n")[0].replace("\n", " ").rstrip(".")
    families = [", ".join(f"`{kind}`{note}" for kind, note in _KIND.findall(family)) for family in kinds.split(" · ")]
    return "".join(f"- {family}\n" for family in families)


def _errors() -> list[str]:
    return [
        f"| `{error.code}` | {(inspect.getdoc(error) or '').splitlines()[0]} | {exits.of_error(error('', path=''))} |\n"
        for error in own_errors()
    ]


def _interface(interface: Interface) -> str:
    return f"### {interface.name}\n\n```varlink\n{describe(interface).rstrip()}\n```\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
