"""The API description as a page that needs no network.

The viewer's files come out of the package swagger_ui_bundle. Its version reads OpenAPI 3.0, while `/openapi.json` is
3.1; so the page gets a copy in the older words. The page has a policy of its own: the viewer styles itself inline.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse, JSONResponse

from core.web.security import content_security_policy
from core.web.static import CORE_ASSETS, Assets


def install_docs(app: FastAPI) -> None:
    """Serve `/docs`, its description and the viewer's files."""
    from swagger_ui_bundle import swagger_ui_path

    policy = content_security_policy(inline_styles=True)
    viewer = Assets(Path(str(swagger_ui_path)), cache_control="public, max-age=86400")
    app.mount("/static/swagger", viewer, name="swagger")

    @app.get("/docs", include_in_schema=False)
    async def docs_page() -> FileResponse:
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
        return FileResponse(CORE_ASSETS / "docs.html", media_type="text/html", headers=headers)

    @app.get("/docs/openapi.json", include_in_schema=False)
    async def docs_description() -> JSONResponse:
        return JSONResponse(as_openapi_30(app.openapi()))


def as_openapi_30(schema: dict[str, Any]) -> dict[str, Any]:
    """A copy of an OpenAPI 3.1 description in the words of 3.0: what the viewer shows, not what programs read."""
    copy = _older(schema)
    assert isinstance(copy, dict)
    copy["openapi"] = "3.0.3"
    return copy


def _older(node: Any) -> Any:
    if isinstance(node, list):
        return [_older(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _older(value) for key, value in node.items()}
    choices = node.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [choice for choice in choices if choice != {"type": "null"}]
        del node["anyOf"]
        if len(rest) == 1 and "$ref" not in rest[0]:
            node = {**rest[0], **node}
        else:
            node["allOf" if len(rest) == 1 else "anyOf"] = rest
        node["nullable"] = True
    if "const" in node and "enum" not in node:
        node["enum"] = [node.pop("const")]
    if "prefixItems" in node:
        node["items"] = {"anyOf": node.pop("prefixItems")}
    if "contentMediaType" in node:
        del node["contentMediaType"]
        node["format"] = "binary"
    for bound, older in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(node.get(bound), int | float) and not isinstance(node[bound], bool):
            node[older], node[bound] = node[bound], True
    return node
