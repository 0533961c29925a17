"""Documents and conversations over HTTP. Knows the bot's values; errors are problem+json."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, SecretStr, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from apps.customer_service.ports import ChatService
from apps.customer_service.schemas import Conversation, DocumentIn, DocumentOut, FileReport, IngestReport
from core.errors import InputError, SuiteError
from core.web.auth import key_check
from core.web.problems import clean

PREFIX = "/customer-service"
MAX_FILES = 200

DocumentId = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
ConversationId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class DocumentPage(BaseModel):
    """A page of documents, without their text."""

    total: int
    items: list[DocumentOut]


def documents_router(service: Callable[[], ChatService], admin_key: SecretStr | None) -> APIRouter:
    """Routes of the documents. Listing and changing ask for the admin key where one is set; reading one does not,
    for the chat page shows what an answer quotes."""
    router = APIRouter(tags=["documents"])
    keeper = [Depends(key_check(admin_key))]

    @router.get(
        f"{PREFIX}/documents",
        summary="List documents",
        dependencies=keeper,
        response_model_exclude={"items": {"__all__": {"text"}}},
    )
    async def list_documents(
        query: Annotated[str, Query(max_length=200)] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    ) -> DocumentPage:
        total, items = await service().list_documents(query.replace("\x00", "").strip(), limit, offset)
        return DocumentPage(total=total, items=items)

    @router.post(
        f"{PREFIX}/documents",
        summary="Add a document, or upload files",
        status_code=201,
        dependencies=keeper,
        response_model=DocumentOut | IngestReport,
        openapi_extra=_BODY,
    )
    async def add_documents(request: Request) -> DocumentOut | IngestReport:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            return await service().put_document(document_in(await request.body()))
        if kind == "multipart/form-data":
            async with request.form(max_files=MAX_FILES, max_fields=20) as form:
                files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
                return await take_in(service(), files)
        raise HTTPException(415, f"{clean(kind) or 'No type'}: send application/json or multipart/form-data.")

    @router.get(f"{PREFIX}/documents/{{document_id:path}}", summary="One document with its text")
    async def get_document(document_id: DocumentId) -> DocumentOut:
        return await service().get_document(document_id)

    @router.put(f"{PREFIX}/documents/{{document_id:path}}", summary="Add or replace a document", dependencies=keeper)
    async def put_document(document_id: DocumentId, body: DocumentIn) -> DocumentOut:
        return await service().put_document(body, document_id)

    @router.delete(
        f"{PREFIX}/documents/{{document_id:path}}", summary="Forget a document", status_code=204, dependencies=keeper
    )
    async def delete_document(document_id: DocumentId) -> None:
        await service().delete_document(document_id)

    return router


def conversations_router(service: Callable[[], ChatService]) -> APIRouter:
    """Routes of the conversations. Who knows an id may read it: ids cannot be guessed."""
    router = APIRouter(tags=["conversations"])

    @router.post(f"{PREFIX}/conversations", summary="Start a conversation", status_code=201)
    async def new_conversation() -> Conversation:
        return await service().new_conversation()

    @router.get(f"{PREFIX}/conversations/{{conversation_id}}", summary="A conversation with its messages")
    async def get_conversation(conversation_id: ConversationId, response: Response) -> Conversation:
        response.headers["Cache-Control"] = "no-store"
        return await service().get_conversation(conversation_id)

    @router.delete(f"{PREFIX}/conversations/{{conversation_id}}", summary="Forget a conversation", status_code=204)
    async def delete_conversation(conversation_id: ConversationId) -> None:
        await service().delete_conversation(conversation_id)

    return router


def document_in(body: bytes) -> DocumentIn:
    """The document inside a JSON body.

    :raises RequestValidationError: with the wrong fields.
    """
    try:
        return DocumentIn.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError(found) from error


async def take_in(bot: ChatService, files: list[UploadFile]) -> IngestReport:
    """Take in uploaded files one by one; a file that cannot be read is reported and the others go on.

    :raises InputError: if there is no file, or the only one cannot be read.
    """
    if not files:
        raise InputError("The form holds no file; send one or more as form fields.")
    began = time.perf_counter()
    reports: list[FileReport] = []
    passages = 0
    for upload in files:
        name = PurePosixPath((upload.filename or "").replace("\\", "/").replace("\x00", "")).name or "upload"
        try:
            report = await bot.ingest_upload(name, await upload.read())
        except SuiteError as error:
            if len(files) == 1:
                raise
            reports.append(FileReport(source=name, status="error", detail=str(error)))
            continue
        reports.extend(report.files)
        passages += report.passages
    return IngestReport(files=tuple(reports), seconds=time.perf_counter() - began, passages=passages)


_FILES: dict[str, Any] = {"type": "array", "items": {"type": "string", "format": "binary"}}
_FORM: dict[str, Any] = {"type": "object", "properties": {"files": _FILES}, "required": ["files"]}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": DocumentIn.model_json_schema()},
            "multipart/form-data": {"schema": _FORM},
        },
    }
}
