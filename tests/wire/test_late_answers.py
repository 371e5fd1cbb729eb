# SPDX-License-Identifier: GPL-2.0-or-later
"""What answers later may fail: the caller hears of it, and nobody else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from dahdi_py.errors import DahdiPyError, NotFound
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.caller import Caller
from dahdi_py.wire.connection import Request
from dahdi_py.wire.interface import Interface, Method
from dahdi_py.wire.refusals import InvalidParameter
from tests.wire.service import Echo, Echoed, Service, serving
from tests.wire.waiting import PATIENCE_S, wait_for

_LATE = Interface("org.dahdipy.Late", "Answers later.", (Method("Echo", Echo, Echoed),))


def _serve(service: Service, error: Exception) -> None:
    def answer() -> None:
        raise error

    def echo(request: Request, wants: Echo) -> None:
        service.loop.call_later(0, request.guard(answer))

    service.server.register(_LATE, {"Echo": echo})


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [(OverflowError("too large"), DahdiPyError, "its log has the trace"), (NotFound("gone"), NotFound, "gone")],
)
def test_what_an_answer_raises_later_is_the_answer(
    run_dir: Path, error: Exception, kind: type[DahdiPyError], says: str
) -> None:
    with serving(run_dir / "s") as service, Connection(service.path, PATIENCE_S) as client:
        service.run(lambda: _serve(service, error))
        with pytest.raises(kind, match=says):
            client.call("org.dahdipy.Late.Echo", Echo(text="a"), Echoed)
        assert client.call("org.dahdipy.Test.Echo", Echo(text="on"), Echoed).text == "on"


def test_an_audit_that_fails_does_not_keep_the_answer(run_dir: Path) -> None:
    def echo(request: Request, wants: Echo) -> None:
        def told(reply: object, error: DahdiPyError | None) -> None:
            raise OverflowError("too large")

        request.on_answer = told
        service.loop.call_later(0, request.guard(lambda: request.reply(Echoed(text="late", count=1))))

    with serving(run_dir / "s") as service, Connection(service.path, PATIENCE_S) as client:
        service.run(lambda: service.server.register(_LATE, {"Echo": echo}))
        with pytest.raises(DahdiPyError, match="its log has the trace"):
            client.call("org.dahdipy.Late.Echo", Echo(text="a"), Echoed)
        assert client.call("org.dahdipy.Test.Echo", Echo(text="on"), Echoed).text == "on"


def test_an_answer_that_cannot_be_taken_does_not_lose_those_that_came_with_it(run_dir: Path) -> None:
    got: list[str] = []

    def taken(reply: Echoed | None, fds: list[int], error: DahdiPyError | None) -> None:
        got.append(reply.text if reply is not None else str(error))
        if len(got) == 1:
            raise OverflowError("too large")

    with serving(run_dir / "s") as service:
        callers: list[Caller] = []

        def ask() -> None:
            callers.append(Caller(service.loop, service.path))
            for text in ("a", "b", "c"):
                callers[0].call("org.dahdipy.Test.Echo", Echo(text=text), Echoed, taken)

        service.run(ask)
        wait_for(lambda: len(got) == 3)
        service.run(lambda: callers[0].close())
    assert got == ["a", "b", "c"]


@pytest.mark.parametrize("number", [1 << 63, -(1 << 63) - 1, 10**30])
def test_an_integer_of_more_than_64_bits_is_no_integer(run_dir: Path, number: int) -> None:
    with serving(run_dir / "s") as service, Connection(service.path, PATIENCE_S) as client:
        with pytest.raises(InvalidParameter, match="times: expected an int of 64 bits") as refused:
            client.call("org.dahdipy.Test.Echo", Echo(text="a", times=number), Echoed)
        assert refused.value.fields["parameter"] == "times"
        assert client.call("org.dahdipy.Test.Echo", Echo(text="9" * 30), Echoed).text == "9" * 30
