"""Real answers held against the published document: each must be one of those declared, and of their shape."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID

from jsonschema import Draft202012Validator, FormatChecker

PARAMETER = re.compile(r"<(\w+):\w+>")
FORMATS = FormatChecker(formats=())


@FORMATS.checks("uuid", raises=ValueError)
def is_uuid(text: object) -> bool:
    """A UUID in its canonical form."""
    return not isinstance(text, str) or str(UUID(text)) == text


@FORMATS.checks("date-time", raises=ValueError)
def is_time(text: object) -> bool:
    """A time with an offset from UTC."""
    return not isinstance(text, str) or datetime.fromisoformat(text).utcoffset() is not None


class Contract:
    """The published document, and what of it was seen: `seen` counts (method, path, status) that were as declared."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.seen: Counter[tuple[str, str, int]] = Counter()
        self._validators: dict[tuple[str, str, int], Draft202012Validator] = {}

    def fault(self, method: str, path: str, status: int, content_type: str, body: Any) -> str | None:
        """What is wrong with an answer of a route, its path as it is declared to the server; None if nothing."""
        operation = self.document["paths"][PARAMETER.sub(r"{\1}", path)][method.lower()]
        declared = operation["responses"].get(str(status))
        if declared is None:
            return f"{method} {path} answered {status}, which it does not declare"
        content = self._resolved(declared)["content"]
        if content_type not in content:
            return f"{method} {path} answered {content_type}"
        key = (method, path, status)
        if key not in self._validators:
            schema = content[content_type]["schema"] | {"components": self.document["components"]}
            self._validators[key] = Draft202012Validator(schema, format_checker=FORMATS)
        error = next(self._validators[key].iter_errors(body), None)
        if error is not None:
            return f"{method} {path} answered {status}: {error.json_path}: {error.message[:200]}"
        self.seen[key] += 1
        return None

    def unseen(self) -> list[str]:
        """The operations of which no good answer was seen."""
        good = {(method, PARAMETER.sub(r"{\1}", path)) for method, path, status in self.seen if status < 300}
        return sorted(
            f"{method.upper()} {path}"
            for path, operations in self.document["paths"].items()
            for method in operations
            if path.startswith("/v1/") and not path.endswith(".json") and (method.upper(), path) not in good
        )

    def _resolved(self, response: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in response:
            return response
        return dict(self.document["components"]["responses"][response["$ref"].rpartition("/")[2]])
