# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole switching core: answers calls to 2001-2009, and says back what it hears.

    .venv/bin/python docs/examples/echo_core.py

It finds the service as the command does; DAHDI_PY_SOCKET names another one. `make run` starts it beside the service.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from dahdi_py.client import AsyncChannel, AsyncClient, Cursor, DahdiPyError, MediaRequest, Offer

NUMBERS = ["2001-2009"]
# As much audio as may wait: a machine that pauses for a moment drops none.
MEDIA = MediaRequest(depth=32)


class EchoCore:
    """Takes calls, and gives each its own audio back.

    Synchronization: the loop's thread.
    """

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        # Calls that are ours, from before we claim them (events may come first) until they have ended.
        self.calls: dict[str, AsyncChannel | None] = {}

    async def run(self) -> None:
        """Serves for ever; over a restart of the daemon, too."""
        # From here on no event is missed, however long the two tasks take to begin.
        start = await self.client.position()
        async with asyncio.TaskGroup() as self.tasks:
            self.tasks.create_task(self.follow(start))
            self.tasks.create_task(self.serve())

    async def serve(self) -> None:
        """Every call that is offered is taken."""
        async for reply in self.client.serve(numbers=NUMBERS):
            if reply.offer is not None:
                await self.take(reply.offer)

    async def take(self, offer: Offer) -> None:
        """The call is answered, and its audio goes back where it comes from."""
        self.calls[offer.call] = None
        try:
            lease = await self.client.claim(offer.call)
            await self.client.alert(offer.call)
            channel = await self.client.open(lease.token, media=MEDIA)
            self.calls[offer.call] = channel
            asyncio.get_running_loop().add_reader(channel.fileno(), self.echo, offer.call, channel)
            await self.client.answer(offer.call)
        except DahdiPyError as error:
            # Another core was faster, or the caller has given up.
            print(f"call from {offer.calling.number or 'somebody'} not taken: {error}", flush=True)
            self.drop(offer.call)
            await self.hang_up(offer.call)
            return
        caller = offer.calling.number or "somebody"
        print(f"answered {caller} on {offer.span}, timeslot {lease.timeslot}", flush=True)

    async def follow(self, start: Cursor) -> None:
        """Calls whose far end hangs up are hung up, and those that ended are forgotten."""
        async for event in self.client.events(kinds=["call.hangup", "call.ended"], after=start):
            if event.call not in self.calls:
                continue
            if event.kind == "call.ended":
                self.drop(event.call)
                print(f"call on {event.span} ended: {event.data.get('cause_name')}", flush=True)
            else:
                await self.hang_up(event.call)

    async def hang_up(self, call: str) -> None:
        """The call is cleared, if it is not gone already."""
        with suppress(DahdiPyError):
            await self.client.hangup(call)

    def echo(self, call: str, channel: AsyncChannel) -> None:
        """The next block has gone back; one too many is dropped. A channel that is gone ends its call."""
        try:
            channel.write(channel.read())
        except BlockingIOError:
            return
        except OSError as error:
            print(f"call on {channel.span}, timeslot {channel.timeslot}: {error}", flush=True)
            asyncio.get_running_loop().remove_reader(channel.fileno())
            self.tasks.create_task(self.hang_up(call))

    def drop(self, call: str) -> None:
        """The call's descriptor is closed: until then nobody else gets the channel."""
        channel = self.calls.pop(call, None)
        if channel is not None:
            asyncio.get_running_loop().remove_reader(channel.fileno())
            channel.close()


async def main() -> None:
    """Serves until interrupted."""
    async with AsyncClient(label="echo core") as client:
        await EchoCore(client).run()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
