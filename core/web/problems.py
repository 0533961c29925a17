"""Every error as a body that a program can read: RFC 9457 problem+json, and OpenAI's error object under `/v1/`.

Knows the error tree and HTTP; knows no app. A stack trace never leaves the server: what is not foreseen is logged
and answered with its request id.
"""

from __future__ import annotations

import math
import re
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import SuiteError
from core.log import get_logger

log = get_logger(__name__)

OPENAI_PREFIX = "/v1/"


_STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "Kind of problem, a URI."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was wrong and how to mend it."},
        "instance": {"type": "string"},
        "request_id": {"type": "string", "description": "Finds the request in the server's log."},
        "errors": {"type": "array", "items": _STRINGS, "description": "Wrong fields: field and message."},
    },
}
_OPENAI_FIELDS = {"message": {"type": "string"}, "type": {"type": "string"}, "param": {}, "code": {}}
OPENAI_SCHEMA: dict[str, Any] = {
    "title": "OpenAIError",
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "object", "required": ["message", "type"], "properties": _OPENAI_FIELDS}},
}
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "An error, as RFC 9457 has it",
        "content": {"application/problem+json": {"schema": PROBLEM_SCHEMA}},
    }
}
"""For the API description: how every route answers when it cannot."""
OPENAI_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {"description": "An error, as OpenAI has it", "content": {"application/json": {"schema": OPENAI_SCHEMA}}}
}
"""The same under `/v1/`."""


class ProblemResponse(JSONResponse):
    """A JSON body of type `application/problem+json`."""

    media_type = "application/problem+json"


def clean(text: str) -> str:
    """Text that UTF-8 can carry: lone surrogates become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def error_response(
    scope: Scope,
    status: int,
    title: str,
    detail: str,
    *,
    kind: str = "about:blank",
    retry_after: float | None = None,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The error body that fits the path.

    :param scope: ASGI scope of the request; its path decides between the two shapes.
    :param kind: URI of the problem type.
    :param retry_after: seconds; becomes the header Retry-After, rounded up.
    :param errors: one entry a wrong field, with "field" and "message".
    """
    headers = dict(headers or {})
    if retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
    path = str(scope.get("path", ""))
    if path.startswith(OPENAI_PREFIX):
        field = errors[0]["field"] if errors else None
        status = 400 if status == HTTPStatus.UNPROCESSABLE_ENTITY else status
        return JSONResponse({"error": openai_error(status, detail, param=field)}, status, headers)
    body: dict[str, Any] = {
        "type": kind,
        "title": title,
        "status": status,
        "detail": clean(detail),
        "instance": clean(path),
    }
    if errors:
        body["errors"] = [{k: clean(v) for k, v in error.items()} for error in errors]
    request_id = scope.get("state", {}).get("request_id")
    if request_id:
        body["request_id"] = request_id
    return ProblemResponse(body, status, headers)


def openai_error(status: int, message: str, *, param: str | None = None) -> dict[str, str | None]:
    """The inside of OpenAI's `{"error": ...}` for an HTTP status."""
    kinds = {
        400: ("invalid_request_error", "invalid_request"),
        401: ("invalid_request_error", "invalid_api_key"),
        403: ("permission_error", "forbidden"),
        404: ("invalid_request_error", "not_found"),
        413: ("invalid_request_error", "request_too_large"),
        429: ("rate_limit_error", "rate_limit_exceeded"),
    }
    fallback = ("server_error", "server_error") if status >= HTTPStatus.INTERNAL_SERVER_ERROR else kinds[400]
    kind, code = kinds.get(status, fallback)
    return {"message": clean(message), "type": kind, "param": param and clean(param), "code": code}


def suite_error_response(scope: Scope, error: SuiteError) -> JSONResponse:
    """The body of an error that was raised on purpose."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__).lower()
    kind = f"urn:triptych:error:{name}"
    return error_response(scope, error.status, error.title, str(error), kind=kind, retry_after=error.retry_after)


def unforeseen_response(scope: Scope) -> JSONResponse:
    """The body of an error that nobody foresaw; it says nothing of the inside."""
    detail = "Something went wrong on the server. It is in the server's log under this request id."
    return error_response(scope, 500, "Internal error", detail)


def _suite_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SuiteError)
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request failed", error=type(error).__name__, detail=str(error))
    return suite_error_response(request.scope, error)


def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [
        {
            "field": ".".join(str(p) for p in e["loc"] if p not in {"body", "query", "path"}) or "body",
            "message": str(e["msg"]),
        }
        for e in error.errors()[:20]
    ]
    detail = "; ".join(f"{e['field']}: {e['message']}" for e in found[:3])
    return error_response(request.scope, 422, "Invalid input", detail, errors=found)


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    detail = error.detail if error.detail != phrase else ""
    if error.status_code == HTTPStatus.NOT_FOUND and not detail:
        detail = f"There is nothing at {request.scope['path']}."
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "other methods")
        detail = f"{request.method} is not possible here; {allowed} would be."
    return error_response(request.scope, error.status_code, phrase, detail or phrase, headers=error.headers)


def install_error_handlers(app: FastAPI) -> None:
    """Answer the error tree, validation errors and HTTP errors in the two shapes."""
    app.add_exception_handler(SuiteError, _suite_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


class ErrorGuard:
    """ASGI middleware: an unforeseen exception is logged and answered 500.

    The traceback is made into text here: structlog's own renderer prints the locals of every frame, which holds up the
    whole server for ten seconds and more.

    Once a response has begun it cannot be taken back; the exception goes on and the server drops the connection, so
    that the client sees a broken answer and not a complete one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except SuiteError as error:
            if started:
                raise
            await suite_error_response(scope, error)(scope, receive, send)
        except Exception:
            log.error(
                "unforeseen error",
                method=scope["method"],
                path=quote(scope["path"], errors="replace"),
                exception=traceback.format_exc(),
            )
            if started:
                raise
            await unforeseen_response(scope)(scope, receive, send)
