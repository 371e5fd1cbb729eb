# SPDX-License-Identifier: GPL-2.0-or-later
"""A tandem: every call that comes in by one trunk group goes out by another, and the two channels are bridged.

    .venv/bin/python docs/examples/tandem.py IN_GROUP OUT_GROUP [NUMBERS]

The audio never passes through this program: the service joins the channels, in the card or in the kernel where both are
there. So the caller hears the far end's own ringback and announcements.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from dahdi_py.client import AsyncClient, Cursor, DahdiPyError, Event, Offer, PartyRequest


class Tandem:
    """Pairs of calls.

    Synchronization: the loop's thread; an event is looked at when the call it may belong to has its name.
    """

    def __init__(self, client: AsyncClient, in_group: str, out_group: str) -> None:
        self.client = client
        self.groups = in_group, out_group
        self.other: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.incoming: set[str] = set()
        self.naming = asyncio.Lock()

    async def run(self, numbers: list[str]) -> None:
        """Serves for ever; over a restart of the daemon, too."""
        start = await self.client.position()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.follow(start))
            async for reply in self.client.serve(groups=[self.groups[0]], numbers=numbers, priority=1):
                if reply.offer is not None:
                    await self.take(reply.offer)

    async def take(self, offer: Offer) -> None:
        """The call goes out by the other group, with the same numbers; not by the span it came in by."""
        async with self.naming:
            try:
                claimed = await self.client.claim(offer.call)
            except DahdiPyError as error:
                print(f"call to {offer.called.number} not taken: {error}", flush=True)
                return
            try:
                placed = await self.client.place(
                    offer.called.number, group=self.groups[1], calling=PartyRequest(number=offer.calling.number),
                    exclude=[offer.span], correlation=offer.call,
                )  # fmt: skip
            except DahdiPyError as error:
                print(f"call to {offer.called.number} finds no way: {error}", flush=True)
                await self.hang_up(offer.call, error.fields.get("cause", 41))
                return
            self.incoming.add(offer.call)
            self.other |= {offer.call: placed.call, placed.call: offer.call}
            self.tokens |= {offer.call: claimed.token, placed.call: placed.token}
        print(f"{offer.called.number}: {offer.span} -> {placed.span}", flush=True)

    async def follow(self, start: Cursor) -> None:
        """What happens to one call of a pair is done to the other."""
        async for event in self.client.events(kinds=["call."], after=start):
            async with self.naming:
                if event.call in self.other:
                    with suppress(DahdiPyError):
                        await self.passed_on(event, self.other[event.call])

    async def passed_on(self, event: Event, other: str) -> None:
        """The event's other half has happened."""
        out = event.call not in self.incoming
        if event.kind in ("call.hangup", "call.ended"):
            await self.hang_up(other, event.data.get("cause") or 16)
            if event.kind == "call.ended":
                self.forget(event.call)
        elif event.kind == "call.attempt" and out:
            self.tokens[event.call] = event.token
        elif event.kind == "call.media" and out:
            where = await self.client.bridge(self.tokens[other], self.tokens[event.call])
            print(f"bridged in the {where}", flush=True)
        elif event.kind == "call.alerting" and out:
            await self.client.alert(other, in_band=event.data.get("in_band", False))
        elif event.kind == "call.progress" and out:
            await self.client.progress(other, in_band=event.data.get("in_band", False))
        elif event.kind == "call.answered" and out:
            await self.client.answer(other)

    async def hang_up(self, call: str, cause: int) -> None:
        """The call is cleared with the other one's cause, if it is not gone already."""
        with suppress(DahdiPyError):
            await self.client.hangup(call, cause=cause)

    def forget(self, call: str) -> None:
        """The call is over; its other half is on its own."""
        self.other.pop(call, None)
        self.tokens.pop(call, None)
        self.incoming.discard(call)


async def main(in_group: str, out_group: str, numbers: str = "") -> None:
    """Serves until interrupted."""
    async with AsyncClient(label="tandem") as client:
        await Tandem(client, in_group, out_group).run([numbers] if numbers else [])


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(f"usage: {sys.argv[0]} IN_GROUP OUT_GROUP [NUMBERS]")
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
