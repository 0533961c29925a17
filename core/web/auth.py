"""One bearer key for those who keep the documents.

Knows headers; knows no users and no roles: a company puts its own sign-on before the server where it needs them.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.requests import Request


def key_check(key: SecretStr | None) -> Callable[[Request], None]:
    """A FastAPI dependency that lets through who sends the key; everybody, where no key is set.

    :raises HTTPException: 401 from the dependency, with WWW-Authenticate, when the key is missing or wrong.
    """

    def check(request: Request) -> None:
        if key is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), key.get_secret_value().encode())
        if scheme.lower() != "bearer" or not right:
            detail = "This needs the server's admin key: send it as 'Authorization: Bearer KEY'."
            raise HTTPException(401, detail, {"WWW-Authenticate": "Bearer"})

    return check
