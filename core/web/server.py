"""How uvicorn is set up for every server. Knows uvicorn; knows no app. `core.web.run` starts it for a person."""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI

from core.web.settings import WebSettings


def server(app: FastAPI, settings: WebSettings) -> uvicorn.Server:
    """A uvicorn server that is not started yet: `server(...).run()` blocks until SIGINT or SIGTERM.

    Requests are logged by `core.web.request_id`, not by uvicorn. Answers under way get 10 s to end at a stop.
    """
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        timeout_keep_alive=30,
    )
    return uvicorn.Server(config)
