"""The validators of the documented schemas. Each checks its schema once: that costs more than most documents.

The schemas let a later release add fields, so that no consumer rejects them. What this release writes has no field that
its schema does not describe: the validators are strict.
"""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker


def _closed(schema: Any) -> Any:
    """Return a schema whose objects have no other fields than those that it describes."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    # Without a type, it is the object of the properties themselves.
    closed = {"additionalProperties": False} if "properties" in schema and "type" in schema else {}
    return closed | {name: _closed(part) for name, part in schema.items()}


def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((Path(__file__).parents[2] / "docs" / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(_closed(schema), format_checker=FormatChecker())


REPORT, OVERVIEW, EXPORT = _validator("report"), _validator("overview"), _validator("export")
