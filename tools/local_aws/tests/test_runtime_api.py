"""The execution environment, with a minimal fake of AWS's runtime client."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from local_aws.runtime_api import ExecutionEnvironment, Function, Invocation, exit_error

CLIENT = """
import json, os, time, urllib.request
base = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"
def post(path, body):
    urllib.request.urlopen(urllib.request.Request(f"{base}/{path}", json.dumps(body).encode())).read()
print("loading")
%s
while True:
    with urllib.request.urlopen(f"{base}/invocation/next") as response:
        event, headers = json.load(response), response.headers
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    print("handling", event, flush=True)
    if "exit" in event: os._exit(event["exit"])
    time.sleep(event.get("sleep", 0))
    remaining = int(headers["Lambda-Runtime-Deadline-Ms"]) / 1000 - time.time()
    kind = "error" if event.get("fail") else "response"
    post(f"invocation/{request_id}/{kind}", {"pid": os.getpid(), "remaining": remaining})
"""

Make = Callable[..., ExecutionEnvironment]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[ExecutionEnvironment] = []

    def start(loading: str = "", **settings: Any) -> ExecutionEnvironment:
        function = Function(
            command=[sys.executable, "-c", CLIENT % loading],
            environment={"PYTHONUNBUFFERED": "1"},
            directory=tmp_path,
            version="$LATEST",
            memory=256,
            **{"timeout": 600, "init_timeout": 600, **settings},
        )
        environment = ExecutionEnvironment(function)
        made.append(environment)
        environment.start()
        return environment

    yield start
    for environment in made:
        environment.stop()


def invoke(environment: ExecutionEnvironment, **event: Any) -> tuple[Any, str, str]:
    answer, logs = environment.invoke(Invocation("request-1", json.dumps(event).encode(), "arn", "trace"))
    return json.loads(answer.payload), answer.status, logs


def test_invocations_share_a_process_and_have_a_deadline(make: Make) -> None:
    environment = make()
    (first, status, _), (second, _, _) = invoke(environment), invoke(environment)
    assert status == "success"
    assert first["pid"] == second["pid"]
    assert 300 < first["remaining"] <= 600


def test_error_of_a_handler_is_the_answer(make: Make) -> None:
    payload, status, _ = invoke(make(), fail=True)
    assert status == "error"
    assert "pid" in payload


def test_each_invocation_has_its_log_and_the_first_has_the_log_of_loading(make: Make) -> None:
    environment = make()
    first, second = invoke(environment, n=1)[2], invoke(environment, n=2)[2]
    assert "loading" in first
    assert "'n': 1" in first
    assert "loading" not in second
    assert "'n': 1" not in second


def test_platform_logs_the_start_and_the_report_of_an_invocation(make: Make) -> None:
    environment = make(timeout=0.05)
    records = [json.loads(line) for line in invoke(environment, sleep=600)[2].splitlines() if line.startswith("{")]
    assert [record["type"] for record in records] == ["platform.start", "platform.report"]
    assert {record["record"]["requestId"] for record in records} == {"request-1"}
    assert records[1]["record"]["status"] == "timeout"
    assert records[1]["record"]["metrics"]["memorySizeMB"] == 256


def test_timeout_is_reported_as_in_aws_and_a_new_process_is_started(make: Make) -> None:
    environment = make(timeout=0.05)
    payload, status, _ = invoke(environment, sleep=600)
    message = "Task timed out after 0.05 seconds"
    assert status == "timeout"
    assert payload == {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: request-1 Error: {message}"}
    environment._function = replace(environment._function, timeout=600)
    assert invoke(environment)[1] == "success"


@pytest.mark.parametrize("code", [0, 3])
def test_exit_is_reported_as_in_aws_and_a_new_process_is_started(make: Make, code: int) -> None:
    environment = make()
    payload, status, _ = invoke(environment, exit=code)
    assert status == "failure"
    assert payload["errorType"] == "Runtime.ExitError"
    assert payload["errorMessage"] == f"RequestId: request-1 Error: {exit_error(code).message}"
    assert invoke(environment)[1] == "success"


def test_killed_process_fails_its_invocation_immediately(make: Make) -> None:
    environment = make()
    runtime = environment.runtime
    assert runtime is not None

    def kill_while_busy() -> None:
        while runtime.request_id is None:
            time.sleep(0.01)
        os.kill(runtime.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_while_busy)
    killer.start()
    payload, status, _ = invoke(environment, sleep=600)
    killer.join()
    assert status == "failure"
    assert payload["errorMessage"].endswith("Runtime exited with error: signal: killed")


def test_error_of_loading_is_the_answer_to_every_invocation(make: Make) -> None:
    environment = make('post("init/error", {"errorType": "Runtime.ImportModuleError"}); raise SystemExit(1)')
    for _ in range(2):
        payload, status, logs = invoke(environment)
        assert payload == {"errorType": "Runtime.ImportModuleError"}
        assert status == "error"
        assert "loading" in logs


def test_code_that_loads_too_slowly_is_killed(make: Make) -> None:
    payload, status, _ = invoke(make("time.sleep(600)", init_timeout=0.05))
    assert status == "timeout"
    assert payload["errorMessage"] == "RequestId: request-1 Error: Task timed out after 0.05 seconds"


def test_stop_kills_the_processes_that_the_function_started(make: Make) -> None:
    environment = make('import subprocess; print("child", subprocess.Popen(["sleep", "600"]).pid)')
    child = int(invoke(environment)[2].split("child ")[1].split()[0])
    environment.stop()
    give_up = time.monotonic() + 60
    while running(child) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert not running(child)


def running(pid: int) -> bool:
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(found.stdout.strip()) and not found.stdout.strip().startswith("Z")
