"""Many gateway pods' evidence endpoints in one process, on every loopback address: `... endpoints PORT CORE`.

It answers what a gateway with one rollout writes, with counters that grow; it checks no token, which costs the operator
nothing either way.
"""

import asyncio
import json
import os
import sys
from functools import cache

from fairlead_gateway.counters import read_counters
from fairlead_gateway.render import Deployment
from fairlead_gateway.traffic import parse_traffic

NAME, STABLE, CANARY = "churn", "churn-1a2b3c4d", "churn-5e6f7a8b"
GENERATION = 7
_STATUS = {
    "schema": 1,
    "epoch": 2,
    "generation": GENERATION,
    "port": 10000,
    "arms": [
        {"revision": STABLE, "role": "stable", "weight": 90},
        {"revision": CANARY, "role": "canary", "weight": 10, "failover": STABLE},
    ],
    "match": [{"revision": CANARY, "headers": [{"name": "x-canary", "value": "1"}]}],
    "latencyLimit": "250ms",
}


@cache
def _lines() -> tuple[str, ...]:
    """What stands before the numbers: the gateway's own series of this status, and those of the pod."""
    deployment = Deployment(NAME, parse_traffic({"status": {"traffic": _STATUS}}), {})
    counted = [
        f"{series.name}{{{','.join(f'{name}={json.dumps(value)}' for name, value in series.labels)}}}"
        for series in read_counters({"stats": []}, [deployment])
    ]
    own = [f'fairlead_gateway_{name}{{modeldeployment="{NAME}"}}' for name in ("rejections_total", "traffic_epoch")]
    return ("fairlead_gateway_time_seconds", "fairlead_gateway_start_time_seconds", *counted, *own)


def evidence(count: int) -> str:
    """The text of a pod that has counted this far."""
    served = f'fairlead_gateway_traffic_generation{{modeldeployment="{NAME}"}} {GENERATION}\n'
    return served + "".join(f"{line} {count}\n" for line in _lines())


class Endpoint(asyncio.Protocol):
    """One connection of the operator's."""

    count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers go to."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._asked = b""

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._asked += data
        if not self._asked.endswith(b"\r\n\r\n"):
            return
        self._asked = b""
        Endpoint.count += 1
        body = evidence(Endpoint.count).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Endpoint, "0.0.0.0", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[2])})
    asyncio.run(_serve(int(sys.argv[1])))
