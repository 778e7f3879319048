"""The example documents are what the reporter writes, and what the page about tickets reads."""

import json
import re
from typing import Any
from xml.etree import ElementTree

import example_documents
import pictures
import pytest
from ecr_scan_reporter.reporting.export.lines import COLUMNS
from jsonschema import Draft202012Validator
from support import schemas


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    return {path.name: text for path, text in example_documents.files().items()}


def test_examples_are_current_and_keep_to_their_schemas(documents: dict[str, str]) -> None:
    for name, validator in (("report", schemas.REPORT), ("overview", schemas.OVERVIEW)):
        text = documents[f"{name}.example.json"]
        validator.validate(json.loads(text))
        written = (example_documents.DOCS / f"{name}.example.json").read_text()
        assert written == text, "run `make reference`, and commit the examples"


def test_pictures_are_current() -> None:
    for path, text in pictures.files().items():
        # It has to be well-formed, unlike the HTML of the widget: browsers show no picture otherwise.
        ElementTree.fromstring(text)  # noqa: S314 - our own
        assert path.read_text() == text, "run `make reference`, and commit the pictures"


def test_lines_of_an_export_keep_to_their_schema_and_to_the_table_of_athena(documents: dict[str, str]) -> None:
    text, docs = documents["export.example.ndjson"], example_documents.DOCS
    assert (docs / "export.example.ndjson").read_text() == text, "run `make reference`, and commit the examples"
    page = (docs / "export.md").read_text()
    [table] = re.findall(r"^CREATE EXTERNAL TABLE \w+ \((.*?)^\)", page, re.DOTALL | re.MULTILINE)
    types = {"string": str, "boolean": bool, "double": float}
    columns = {name: types[kind] for name, kind in re.findall(r"^  (\w+) (\w+),?$", table, re.MULTILINE)}
    for line in map(json.loads, text.splitlines()):
        schemas.EXPORT.validate(line)
        # Those two are in the path.
        assert [name for name in line if name not in ("account", "region")] == list(columns)
        assert all(value is None or isinstance(value, columns.get(name, str)) for name, value in line.items())
    described = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)))
    assert described == list(COLUMNS) == list(line)


def test_schemas_let_a_later_release_add_fields_and_the_tests_do_not(documents: dict[str, str]) -> None:
    for name, strict in (("report", schemas.REPORT), ("overview", schemas.OVERVIEW)):
        document = json.loads(documents[f"{name}.example.json"])
        published = (example_documents.DOCS / f"{name}.schema.json").read_text()
        assert Draft202012Validator(json.loads(published)).is_valid(document | {"later": 1})
        assert '"additionalProperties": false' not in published
        assert not strict.is_valid(document | {"later": 1})


def test_example_of_a_ticket_reads_the_example_of_a_report(documents: dict[str, str]) -> None:
    page = (example_documents.DOCS / "teams-and-tickets.md").read_text()
    [block] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(block, namespace)  # noqa: S102 - it is this repository's own
    report = json.loads(documents["report.example.json"])
    tickets = [(key, title) for key, title, _ in namespace["tickets"](report)]
    assert tickets == [
        (
            "123456789012/eu-west-1/team-a/checkout/CVE-2026-9012/libxml2",
            "CRITICAL CVE-2026-9012 in team-a/checkout",
        ),
        ("123456789012/eu-west-1/team-b/api/CVE-2026-7001/log4j-core", "HIGH CVE-2026-7001 in team-b/api"),
    ]
    # An overview, and a report without a new finding, are no tickets.
    namespace["handler"]({"Records": [{"Sns": {"Message": documents["overview.example.json"]}}]}, None)
