"""A model's pod that streams: over HTTP with aiohttp, or over gRPC when the variable PROTOCOL says so, on port 8080.

HTTP: GET `/events` sends an event every 0.4 s, eight of them; `/socket` is a websocket that says back what it hears;
POST `/bodies?answer=N` reads the body and answers N bytes, with the body's length and SHA-256 in headers.
gRPC: `/streams.Model/Predict` answers what it was asked, `/streams.Model/Chat` each message as it comes.
With FAIL=1 everything but the readiness check fails once the request is there: 500, or UNAVAILABLE.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator

import grpc
from aiohttp import WSMsgType, web
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

PORT = 8080
EVENTS = 8
EVENT_SECONDS = 0.4
PIECE = b"\0" * (1 << 18)
FAILS = os.environ.get("FAIL") == "1"


async def ready(_: web.Request) -> web.Response:
    """The kubelet asks this."""
    return web.Response()


async def events(request: web.Request) -> web.StreamResponse:
    """Server-sent events, as the HTML standard has them."""
    answer = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-store"})
    await answer.prepare(request)
    for number in range(EVENTS):
        await answer.write(f"data: {number}\n\n".encode())
        await asyncio.sleep(EVENT_SECONDS)
    return answer


async def socket(request: web.Request) -> web.WebSocketResponse:
    """A websocket that says back what it hears."""
    answer = web.WebSocketResponse()
    await answer.prepare(request)
    async for message in answer:
        if message.type is WSMsgType.TEXT:
            await answer.send_str(message.data)
    return answer


async def bodies(request: web.Request) -> web.StreamResponse:
    """Read to the end, then answer as much as was asked for."""
    seen, length = hashlib.sha256(), 0
    async for piece in request.content.iter_any():
        seen.update(piece)
        length += len(piece)
    if FAILS:
        return web.Response(status=500, text="told to fail")
    left = int(request.query.get("answer", "0"))
    told = {"content-length": str(left), "x-body-length": str(length), "x-body-sha256": seen.hexdigest()}
    answer = web.StreamResponse(headers=told)
    await answer.prepare(request)
    while left:
        piece = PIECE[:left]
        await answer.write(piece)
        left -= len(piece)
    return answer


async def predict(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
    """One message in, the same out."""
    if FAILS:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "told to fail")
    return request


async def chat(requests: AsyncIterator[bytes], _: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
    """Each message back as it comes."""
    async for request in requests:
        yield request


async def serve_grpc() -> None:
    """Until SIGTERM."""
    server = grpc.aio.server()
    handlers = {
        "Predict": grpc.unary_unary_rpc_method_handler(predict),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("streams.Model", handlers),))
    answers = health.aio.HealthServicer()
    await answers.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(answers, server)
    server.add_insecure_port(f"0.0.0.0:{PORT}")
    await server.start()
    await server.wait_for_termination()


def main() -> None:
    """Serve what PROTOCOL says."""
    if os.environ.get("PROTOCOL") == "grpc":
        asyncio.run(serve_grpc())
        return
    app = web.Application(client_max_size=0)
    app.add_routes([web.get("/ready", ready), web.get("/events", events), web.get("/socket", socket)])
    app.router.add_post("/bodies", bodies)
    web.run_app(app, port=PORT, print=None)


if __name__ == "__main__":
    main()
