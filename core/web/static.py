"""Files of the pages: scripts, styles, pictures.

Every file has an ETag and is asked for again each time (`no-cache`), which costs a 304 without a body: a page never
runs the scripts of two versions. Types are fixed here, not taken from the machine's own table.
"""

from __future__ import annotations

import os
from pathlib import Path

from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}

CORE_ASSETS = Path(__file__).parent / "static"
"""The suite's shared design tokens, scripts and start page."""


class Assets(StaticFiles):
    """A folder of files of known types; anything else in it is not served."""

    def __init__(self, directory: Path, *, cache_control: str = "no-cache") -> None:
        super().__init__(directory=directory)
        self.cache_control = cache_control

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """The file, or 304 when the caller has it already."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        media_type = TYPES.get(Path(full_path).suffix)
        if media_type is None:
            return Response(status_code=404)
        if response.status_code != 304:
            text = media_type.startswith("text/")
            response.headers["Content-Type"] = f"{media_type}; charset=utf-8" if text else media_type
        response.headers["Cache-Control"] = self.cache_control
        return response


def file(path: Path) -> FileResponse:
    """One page or script of known type, asked for again each time."""
    return FileResponse(path, media_type=TYPES[path.suffix], headers={"Cache-Control": "no-cache"})
