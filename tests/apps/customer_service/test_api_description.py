"""The API keeps to its own description, whatever it is sent."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apps.customer_service.api import create_app_with
from apps.customer_service.schemas import DocumentIn
from core.web import WebSettings
from tests.apps.customer_service._service import EchoService

RETURNS = DocumentIn(id="returns", title="Returns", text="You can return goods within 30 days.")

app = create_app_with(lambda: EchoService(documents=(RETURNS,)), WebSettings(chat_rate_limit=""))
schema = schemathesis.openapi.from_asgi("/openapi.json", app)


@schema.parametrize()
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_request_breaks_the_server_or_gets_what_is_not_described(case: schemathesis.Case) -> None:
    case.call_and_validate(
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ]
    )
