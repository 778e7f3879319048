"""Runs Lambda functions as processes instead of containers."""

import logging
import os
import sys
from pathlib import Path
from typing import Any

from localstack import config
from localstack.aws.connect import connect_to
from localstack.http import Request, Response
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import LambdaRuntimeException, RuntimeExecutor

from local_aws import function_main
from local_aws.embedded_metrics import embedded_metrics
from local_aws.runtime_api import ExecutionEnvironment, Function, Invocation

LOG = logging.getLogger(__name__)

PYTHON_VARIABLE = "LOCAL_AWS_FUNCTIONS_PYTHON"

# The executors of all running execution environments by id, for the control API and for the end of the server.
_executors: dict[str, "ProcessExecutor"] = {}


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    """Plug-in that provides the executor if LAMBDA_RUNTIME_EXECUTOR is `process`."""

    name = "process"

    def load(self, *_args: Any, **_kwargs: Any) -> type[RuntimeExecutor]:
        """Return the class of the executor."""
        return ProcessExecutor


class ProcessExecutor(RuntimeExecutor):
    """One execution environment of one version of a function."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id, function_version)
        self.environment: ExecutionEnvironment | None = None

    def start(self, env_vars: dict[str, Any]) -> None:
        """Start the process and load the function."""
        settings = self.function_version.config
        if not (settings.runtime or "").startswith("python"):
            raise LambdaRuntimeException(f"runtime is {settings.runtime!r}; expected a Python runtime")
        directory = self._unzip(self.function_version)
        self.environment = ExecutionEnvironment(
            Function(
                command=[os.environ[PYTHON_VARIABLE], function_main.__file__, settings.handler],
                environment=self._process_environment(env_vars, directory),
                directory=directory,
                version=self.function_version.id.qualifier,
                timeout=settings.timeout,
                memory=settings.memory_size,
            )
        )
        _executors[self.id] = self
        self.environment.start()

    def _process_environment(self, env_vars: dict[str, Any], directory: Path) -> dict[str, str]:
        variables = {name: str(value) for name, value in env_vars.items()}
        if level := variables.get("AWS_LAMBDA_LOG_LEVEL"):
            # LocalStack writes "Trace", and the runtime client accepts only "TRACE".
            variables["AWS_LAMBDA_LOG_LEVEL"] = level.upper()
        return {
            "PATH": os.defpath,
            "LANG": "en_US.UTF-8",
            "HOME": os.environ["HOME"],
            "TMPDIR": os.environ["TMPDIR"],
            **variables,
            function_main.CLOCK_VARIABLE: os.environ[function_main.CLOCK_VARIABLE],
            "LAMBDA_TASK_ROOT": str(directory),
            # AWS makes the code read-only. Here the execution environments share it, so none may write to it.
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{self.function_version.config.runtime}",
        }

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Invoke the function with one event."""
        if self.environment is None:
            raise LambdaRuntimeException(f"execution environment {self.id} was never started")
        invocation = Invocation(
            payload["invoke-id"], payload["payload"].encode(), payload["invoked-function-arn"], payload["trace-id"]
        )
        answer, logs = self.environment.invoke(invocation)
        self._put_metrics(logs)
        return InvocationResult(invocation.request_id, answer.payload, answer.is_error, logs)

    def _put_metrics(self, logs: str) -> None:
        function = self.function_version.id
        cloudwatch = connect_to(aws_access_key_id=function.account, region_name=function.region).cloudwatch
        for namespace, data in embedded_metrics(logs).items():
            try:
                cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
            except Exception:
                # In AWS too, an invocation does not depend on its metrics.
                LOG.exception("could not put the metrics of %s", function.function_name)

    def stop(self) -> None:
        """Kill the process."""
        _executors.pop(self.id, None)
        if self.environment:
            self.environment.stop()

    def get_logs(self) -> str:
        """Return the whole log."""
        return self.environment.logs() if self.environment else ""

    def get_address(self) -> str:
        """Return the host of the function."""
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        """Return the host of the AWS endpoint as the function sees it."""
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        """Return the address of LocalStack's callbacks. Functions do not use it here."""
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unzip the code when a function is deployed."""
        cls._unzip(function_version)

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Keep the code: the server removes its directory at the end."""

    @staticmethod
    def _unzip(function_version: FunctionVersion) -> Path:
        code = function_version.config.code
        code.prepare_for_execution()
        return Path(code.get_unzipped_code_location())


def function_processes(_request: Request) -> Response:
    """Answer a request of the control API with the processes of all functions."""
    processes = [
        {
            "functionName": executor.function_version.id.function_name,
            "pid": runtime.pid,
            "requestId": runtime.request_id,
        }
        for executor in list(_executors.values())
        if executor.environment and (runtime := executor.environment.runtime) and not runtime.exited
    ]
    return Response.for_json({"processes": processes})


def stop_all() -> None:
    """Kill the processes of all functions."""
    for executor in list(_executors.values()):
        try:
            executor.stop()
        except OSError as error:
            sys.stderr.write(f"could not stop {executor.function_version.id.function_name}: {error}\n")
