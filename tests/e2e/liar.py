"""Stands between the operator and the real Prometheus, and says what it is told to make of the answers.

GET `/-/lie?how=` sets it. `nan`: every counter is NaN; `late`: a series that counts failures is not there, as one that
is born with its first count; `stale`: the first answer since then, again and again; `skewed`: every moment is five
minutes in the future; anything else: the truth. GET `/-/kept` tells how many answers are said again. What is asked for
is passed on as it is.
"""

import json
import os
from typing import Any

import aiohttp
from aiohttp import web

PROMETHEUS = os.environ["PROMETHEUS"]
SKEW_SECONDS = 300.0

told = {"how": ""}
kept: dict[str, bytes] = {}


def twisted(how: str, series: dict[str, Any]) -> dict[str, Any] | None:
    """What is said instead of a series of an instant vector; None: nothing."""
    name, (moment, number) = series["metric"].get("__name__", ""), series["value"]
    if how == "late" and "failure" in name:
        return None
    if how == "nan" and name.endswith("_total"):
        number = "NaN"
    return {**series, "value": [moment + (SKEW_SECONDS if how == "skewed" else 0), number]}


def lie(how: str, question: str, body: bytes) -> bytes:
    """What is said instead of an answer."""
    if how == "stale":
        return kept.setdefault(question, body)
    kept.clear()
    answer = json.loads(body)
    if answer.get("data", {}).get("resultType") != "vector":
        return body
    said = [twisted(how, series) for series in answer["data"]["result"]]
    answer["data"]["result"] = [series for series in said if series]
    return json.dumps(answer).encode()


async def set_how(request: web.Request) -> web.Response:
    """From now on."""
    told["how"] = request.query["how"]
    return web.Response(text=told["how"])


async def get_kept(_: web.Request) -> web.Response:
    """How many answers about gateways are said again and again."""
    return web.json_response(sum("fairlead_gateway" in question for question in kept))


async def ask(request: web.Request) -> web.Response:
    """Everything else."""
    async with aiohttp.ClientSession() as session, session.get(f"{PROMETHEUS}{request.path_qs}") as answer:
        body = await answer.read()
        status, kind = answer.status, answer.content_type
    if status == 200 and told["how"]:
        body = lie(told["how"], request.path_qs, body)
    return web.Response(status=status, body=body, content_type=kind)


if __name__ == "__main__":
    app = web.Application()
    app.add_routes([web.get("/-/lie", set_how), web.get("/-/kept", get_kept), web.get("/{path:.*}", ask)])
    web.run_app(app, port=9090, print=None)
