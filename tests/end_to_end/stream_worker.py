# SPDX-License-Identifier: Apache-2.0
"""A subscriber that others kill and pause: reads requests as JSON lines from
stdin, follows all their streams at once, writes a JSON line for each that
ended. Run again with the same requests it takes over where it died."""

import asyncio
import json
import sys

import sluice


async def follow(client, fields):
    text, terminals = "", 0
    stream = client.stream(sluice.Request(**fields))
    async for event in stream:
        text += event.text
        terminals += isinstance(event, sluice.Finished)
    line = {"id": fields["request_id"], "text": text, "terminals": terminals}
    print(json.dumps(line), flush=True)


async def main(endpoint):
    requests = [json.loads(line) for line in sys.stdin]
    timing = sluice.Timing(connect=60.0, reply=5.0, attempts=6)
    async with sluice.AsyncClient(
        endpoint, timing=timing, timeout=900
    ) as client:
        await asyncio.gather(*(follow(client, r) for r in requests))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
