"""The validators of the documented schemas. Each checks its schema once: that costs more than most documents."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator, FormatChecker


def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((Path(__file__).parents[2] / "docs" / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


REPORT, OVERVIEW = _validator("report"), _validator("overview")
