"""The cases of a cold start."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator

from environment import ROOT
from rows import Row
from support.configuration import DEFAULTS

HANDLERS = {
    "images_scanner": ("dynamodb", "ecr", "ecr", "sqs"),
    "repositories_scanner": ("dynamodb", "ecr", "sqs"),
    "reporter": ("dynamodb", "ecr", "sns", "sqs"),
    "console_widget": ("dynamodb",),
}


def cold_start() -> Iterator[Row]:
    """The median of 15 processes each, taken in turns, from the unpacked zip, read-only and without bytecode."""
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(ROOT / "dist" / "ecr_scan_reporter.zip").extractall(folder)
        environment = {
            **os.environ,
            **DEFAULTS,
            "PYTHONPATH": folder,
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "IMAGES_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/images",
            "REPORTS_QUEUE_URL": "https://queue",
        }
        for handler, services in HANDLERS.items():
            clients = "; ".join(f"boto3.client('{service}', config=c)" for service in services)
            plain = f"import boto3; from botocore.config import Config; c = Config(); {clients}"
            ours = f"from ecr_scan_reporter import {handler}; {handler}.dependencies()"
            seconds: dict[str, list[float]] = {plain: [], ours: []}
            for _ in range(15):
                for code, times in seconds.items():
                    started = time.perf_counter()
                    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
                    times.append(time.perf_counter() - started)
            ratio = statistics.median(seconds[ours]) / statistics.median(seconds[plain])
            case = f"cold start of {handler}: unpacked zip, no bytecode"
            yield Row(case, f"{ratio:.2f} times boto3 with the same clients", "at most 1.15", ratio <= 1.15)


CASES = (cold_start,)
