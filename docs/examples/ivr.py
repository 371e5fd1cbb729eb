# SPDX-License-Identifier: GPL-2.0-or-later
"""An answering machine: plays a prompt and a beep, then records what the caller says, each call into a WAV file.

    .venv/bin/python docs/examples/ivr.py NUMBERS DIRECTORY [SECONDS]

Any number of calls at once. The octets are recorded as they come, in the line's own law: nothing is transcoded.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from contextlib import suppress
from pathlib import Path

from tones import silence, tone

from dahdi_py.client import AsyncChannel, AsyncClient, Cursor, DahdiPyError, Offer

_WAVE_FORMATS = {"alaw": 6, "mulaw": 7}


def prompt(law: str) -> bytes:
    """Three rising tones and a beep; a recording in the law would do as well."""
    rising = b"".join(tone(law, hertz, 0.25) for hertz in (950, 1400, 1800))
    return rising + silence(law, 0.2) + tone(law, 1000, 0.3)


def wav(law: str, octets: bytes) -> bytes:
    """The octets as a WAV file of 8000 Hz, one channel, companded."""
    form = struct.pack("<HHIIHHH", _WAVE_FORMATS[law], 1, 8000, 8000, 1, 8, 0)
    chunks = (b"fmt ", form), (b"fact", struct.pack("<I", len(octets))), (b"data", octets + b"\0" * (len(octets) % 2))
    body = b"WAVE" + b"".join(name + struct.pack("<I", len(data)) + data for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


class AnsweringMachine:
    """Answers calls, one task each.

    Synchronization: the loop's thread.
    """

    def __init__(self, client: AsyncClient, directory: Path, seconds: float) -> None:
        self.client = client
        self.directory = directory
        self.seconds = seconds
        self.talks: dict[str, asyncio.Task[None]] = {}

    async def run(self, numbers: list[str]) -> None:
        """Serves for ever; over a restart of the daemon, too."""
        start = await self.client.position()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.follow(start))
            async for reply in self.client.serve(numbers=numbers):
                if reply.offer is not None:
                    self.talks[reply.offer.call] = tasks.create_task(self.take(reply.offer))

    async def follow(self, start: Cursor) -> None:
        """A talk whose caller hangs up is over; what was said till then is kept."""
        async for event in self.client.events(kinds=["call.hangup", "call.ended"], after=start):
            if talk := self.talks.pop(event.call, None):
                talk.cancel()

    async def take(self, offer: Offer) -> None:
        """The call is answered, its message recorded, and it is hung up; whatever goes wrong ends this call alone."""
        heard, law = bytearray(), offer.law
        try:
            try:
                lease = await self.client.claim(offer.call)
                await self.client.answer(offer.call)
                channel = await self.client.open(lease.token)
                try:
                    await self.talk(channel, prompt(law), None)
                    await self.talk(channel, silence(law, self.seconds), heard)
                finally:
                    channel.close()
            finally:
                self.talks.pop(offer.call, None)
                with suppress(DahdiPyError, asyncio.CancelledError):
                    await self.client.hangup(offer.call)
                if heard:
                    path = self.directory / f"{offer.call}.wav"
                    path.write_bytes(wav(law, bytes(heard)))
                    print(f"recorded {len(heard) / 8000:.1f} s of {offer.calling.number}: {path.name}", flush=True)
        except (DahdiPyError, OSError) as error:
            print(f"call from {offer.calling.number or 'somebody'}: {error}", flush=True)

    async def talk(self, channel: AsyncChannel, say: bytes, heard: bytearray | None) -> None:
        """`say` has gone out at the line's pace, block for block with what came in."""
        loop = asyncio.get_running_loop()
        come = asyncio.Event()
        loop.add_reader(channel.fileno(), come.set)
        try:
            while say:
                await come.wait()
                come.clear()
                with suppress(BlockingIOError):
                    while say:
                        block = channel.read()
                        if heard is not None:
                            heard += block
                        say = say[channel.write(say[: len(block)]) :]
        finally:
            loop.remove_reader(channel.fileno())


async def main(numbers: str, directory: str, seconds: str = "3") -> None:
    """Serves until interrupted."""
    async with AsyncClient(label="answering machine") as client:
        await AnsweringMachine(client, Path(directory), float(seconds)).run([numbers])


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(f"usage: {sys.argv[0]} NUMBERS DIRECTORY [SECONDS]")
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
