"""The addresses of the server. Which model answers is the engine's.

No key is written anywhere, and nothing that was sent.
"""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ..console import say
from ..outbound import Passage
from ..web_guard import UNKNOWN_NAME, HostCheck, NotedAnswers
from .completions import Completions
from .faults import ApiFault, inner_fault, raised_at
from .parameters import require_model
from .service import Service


def make_app(service: Service) -> ASGIApp:
    """The application."""
    settings, pages = service.settings, _Pages(service)
    passage: Passage = settings.passage
    unknown = ApiFault(403, UNKNOWN_NAME, None, "unknown_host").to_json()
    guard = [] if settings.key else [Middleware(HostCheck, listens_on=settings.host, refusal=unknown)]
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", Completions(service), methods=["POST"]),
            Route("/v1/models", pages.models),
            Route("/v1/models/{model:path}", pages.model),
            Route("/health", pages.health),
            Route("/metrics", pages.metrics),
        ],
        middleware=[*guard, Middleware(NotedAnswers, passage=passage)],
        exception_handlers={HTTPException: _not_here, ApiFault: _refuse, Exception: _broken},
    )
    app.router.redirect_slashes = False
    return app


class _Pages:
    """What is asked beside questions."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def _described(self) -> dict[str, Any]:
        engine, settings = self._service.engine, self._service.settings
        return {
            "id": settings.model,
            "object": "model",
            "created": settings.created,
            "owned_by": "pefomed_plugin",
            "pefomed": {
                "tasks": list(engine.tasks),
                "default_task": settings.default_task,
                "image_size": engine.image_size,
                "most_images": dict(engine.most_images),
                "most_answer_tokens": dict(engine.limits),
                "notice": settings.notice,
            },
        }

    async def models(self, request: Request) -> Response:
        """Those that are served: one."""
        self._service.require_key(request)
        return JSONResponse({"object": "list", "data": [self._described()]})

    async def model(self, request: Request) -> Response:
        """The one, by its name."""
        self._service.require_key(request)
        require_model({"model": request.path_params["model"]}, self._service.settings.model)
        return JSONResponse(self._described())

    async def health(self, request: Request) -> Response:
        """For load balancers: 200 while requests are taken. Needs no key, and says nothing of the model."""
        service, engine = self._service, self._service.engine
        status = "failed" if engine.fault else "stopping" if service.is_stopping else "ok"
        found = {"status": status, "waiting": engine.waiting, "running": engine.running}
        workers = service.settings.workers()
        return JSONResponse({**found, "workers": workers}, 200 if status == "ok" else 503)

    async def metrics(self, request: Request) -> Response:
        """For a monitor."""
        self._service.require_key(request)
        return Response(self._service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _refuse(_: Request, fault: Any) -> Response:
    return JSONResponse(fault.to_json(), fault.status, fault.headers)


async def _not_here(request: Request, refused: Any) -> Response:
    words = "there is nothing here; ask POST /v1/chat/completions, GET /v1/models, /health, /metrics"
    if refused.status_code == 405:
        words = "this address is asked with another method"
    fault = ApiFault(refused.status_code, words, None, "not_found" if refused.status_code == 404 else "method")
    return JSONResponse(fault.to_json(), fault.status, {**(refused.headers or {}), "Connection": "close"})


async def _broken(_: Request, error: Exception) -> Response:
    say(f"error: a request failed with {type(error).__name__}, {raised_at(error)}")
    return JSONResponse(inner_fault().to_json(), 500)
