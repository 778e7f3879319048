"""Keeps the images of an Amazon ECR registry scanned and reports what the scans found.

Five Lambda functions share this package: `repositories_scanner`, `images_scanner`, `reporter`, `console_widget` and
`catalog_reader`. Each of these modules has the `handler` of its function and its flow. The folders have the parts.

    handlers -> scanning | reporting | catalog -> messages -> memory -> aws -> settings -> models -> shared -> errors

Imports follow the arrows only; the import-linter contracts in pyproject.toml enforce them. All datetimes are aware.

Lambda compiles every module at each cold start, because the zip has no byte code. So a module that few invocations need
is imported where it is needed, and values are NamedTuples: to create a frozen dataclass takes five times as long.
"""
