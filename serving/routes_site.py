"""What people and machines on call ask: alive, ready, figures, documents."""

import asyncio

from starlette.responses import RedirectResponse, Response

from clickwise import codec, metrics
from serving import docs
from serving.answers import JsonResponse
from serving.call import Call
from serving.schemas import Alive, Check, Readiness


async def healthz(call: Call) -> Response:
    """This process answers."""
    del call
    return JsonResponse(codec.encode(Alive()))


async def readyz(call: Call) -> Response:
    """200 when every check is well, else 503; what is wrong is told to who may know."""
    checks = await call.door.ready.look()
    ready = all(check.ok for check in checks)
    told = await call.trusted()
    body = Readiness(
        ready=ready,
        checks=tuple(Check(name=c.name, ok=c.ok, detail=c.detail if told else "") for c in checks),
    )
    return JsonResponse(codec.encode(body), status_code=200 if ready else 503)


async def show_metrics(call: Call) -> Response:
    """All figures; in a thread, because reading many workers' files takes a while."""
    del call
    return Response(
        await asyncio.to_thread(metrics.expose),
        media_type="text/plain; version=0.0.4; charset=utf-8",
    )


async def openapi_document(call: Call) -> Response:
    """The OpenAPI document of this interface."""
    return JsonResponse(call.door.document)


async def docs_page(call: Call) -> Response:
    """A page that shows that document and tries it out; needs no other site."""
    del call
    return Response(
        docs.PAGE,
        media_type="text/html; charset=utf-8",
        headers={"content-security-policy": docs.POLICY},
    )


async def home(call: Call) -> Response:
    """The way to the documentation."""
    del call
    return RedirectResponse("/docs", status_code=307)
