# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers that wait for the disk: what is read beside the loop, what was changed and is to be kept first."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import msgspec

from dahdi_py.daemon.journal import Journal
from dahdi_py.errors import DahdiPyError
from dahdi_py.wire.server import Request

T = TypeVar("T")


def answer_beside(
    loop: asyncio.AbstractEventLoop, request: Request, found: Future[T], reply: Callable[[T], msgspec.Struct]
) -> None:
    """The request is answered once it is found, or fails with why it cannot be."""

    def answer() -> None:
        try:
            request.reply(reply(found.result()))
        except sqlite3.Error as error:
            request.fail(DahdiPyError(f"the ledger cannot be read: {error}"))

    found.add_done_callback(lambda _: loop.call_soon_threadsafe(request.guard(answer)))


def answer_kept(journal: Journal, request: Request, reply: msgspec.Struct) -> None:
    """The request is answered once what was changed for it outlives the daemon, or the disk has refused to keep it."""
    journal.when_published(request.guard(lambda: request.reply(reply)))
