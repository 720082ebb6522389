"""How an exception becomes an answer."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import HTTPException
from fastapi.responses import JSONResponse
from modules import errors


def handle_exception(request: Request, e: Exception) -> JSONResponse:
    """Status and detail come from attributes of the exception *object*, if it has them."""
    fields = vars(e)
    told = {
        "error": type(e).__name__,
        "detail": fields.get("detail", ""),
        "body": fields.get("body", ""),
        "errors": str(e),
    }
    if not isinstance(e, HTTPException):
        errors.report(f"API error: {request.method}: {request.url} {told}", exc_info=True)
    return JSONResponse(status_code=fields.get("status_code", 500), content=jsonable_encoder(told))


def api_middleware(app: FastAPI) -> None:
    """Puts the handling above around every route, those of extensions included."""

    @app.middleware("http")
    async def note_time(
        req: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        start = time.time()
        res = await call_next(req)
        res.headers["X-Process-Time"] = str(round(time.time() - start, 4))
        return res

    @app.middleware("http")
    async def exception_handling(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        try:
            return await call_next(request)
        except Exception as e:  # noqa: BLE001  (becomes the answer)
            return handle_exception(request, e)

    @app.exception_handler(Exception)
    async def any_exception(request: Request, e: Exception) -> JSONResponse:
        return handle_exception(request, e)

    @app.exception_handler(HTTPException)
    async def http_exception(request: Request, e: HTTPException) -> JSONResponse:
        return handle_exception(request, e)
