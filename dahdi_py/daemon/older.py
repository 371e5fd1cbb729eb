# SPDX-License-Identifier: GPL-2.0-or-later
"""What a line host of the protocol before ours is asked: the daemon is upgraded first, its hosts follow one by one."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from dahdi_py.daemon.link import Link
from dahdi_py.errors import Unsupported

T = TypeVar("T", bound=msgspec.Struct)

_FOR_THE_RECORD = ("group", "emergency", "preempt", "spare", "elsewhere", "thorough")
"""Without these the host does what is asked, only less finely."""
_NEEDED = {
    "masks": "hunt a part of a span", "detach_s": "keep a lease whose owner is gone", "relay": "relay a descriptor",
}  # fmt: skip
_ORDERS = ("", "ascending", "descending", "round_robin_up", "round_robin_down")


def speaks(link: Link, protocol: int) -> bool:
    """Whether the attached host knows that protocol."""
    return link.state is not None and link.state.protocol >= protocol


def require(link: Link, protocol: int, what: str) -> None:
    """The host can do it.

    Raises:
        Unsupported: It is of an earlier protocol.
    """
    if link.state is not None and not speaks(link, protocol):
        raise Unsupported(
            f"line host {link.name} runs version {link.state.version}, which cannot {what}: drain it and start it anew",
            operation=what, host=link.name,
        )  # fmt: skip


def understood(link: Link, request: T) -> T:
    """The request in the words of the host's protocol.

    Raises:
        Unsupported: What matters of it cannot be said in them.
    """
    if link.state is None or speaks(link, 2):
        return request
    for name, what in _NEEDED.items():
        if getattr(request, name, None):
            require(link, 2, what)
    if getattr(request, "order", "") not in _ORDERS:
        require(link, 2, f"hunt {getattr(request, 'order', '')}")
    # What stands at its default is left out of a message, but only if it is the very object.
    left_out = {
        field.name: field.default
        for field in msgspec.structs.fields(request)
        if field.name in _FOR_THE_RECORD or field.name == "detach_s"
    }
    return msgspec.structs.replace(request, **left_out)
