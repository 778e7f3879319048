"""Runs Lambda functions as processes, in place of LocalStack's containers."""

import os
import sys
from pathlib import Path
from typing import Any

from localstack import config
from localstack.http import Request, Response
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import LambdaRuntimeException, RuntimeExecutor

from local_aws import function_main
from local_aws.runtime_api import ExecutionEnvironment, Function, Invocation

PYTHON_VARIABLE = "LOCAL_AWS_FUNCTIONS_PYTHON"

# One per execution environment that lives, by its id: what the control API lists and the end of the server stops.
_executors: dict[str, "ProcessExecutor"] = {}


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    """Makes the executor, when LAMBDA_RUNTIME_EXECUTOR is `process`."""

    name = "process"

    def load(self, *_args: Any, **_kwargs: Any) -> type[RuntimeExecutor]:
        """Return the executor."""
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
            raise LambdaRuntimeException(f"only Python functions run locally, not {settings.runtime!r}")
        directory = self._unzip(self.function_version)
        self.environment = ExecutionEnvironment(
            Function(
                command=[os.environ[PYTHON_VARIABLE], function_main.__file__, settings.handler],
                environment=self._process_environment(env_vars, directory),
                directory=directory,
                version=self.function_version.id.qualifier,
                timeout=settings.timeout,
                memory=settings.memory_size,
                log_format=settings.logging_config.get("LogFormat", "Text"),
            )
        )
        _executors[self.id] = self
        self.environment.start()

    def _process_environment(self, env_vars: dict[str, Any], directory: Path) -> dict[str, str]:
        variables = {name: str(value) for name, value in env_vars.items()}
        if level := variables.get("AWS_LAMBDA_LOG_LEVEL"):
            # LocalStack capitalizes it, which the runtime client does not understand for TRACE.
            variables["AWS_LAMBDA_LOG_LEVEL"] = level.upper()
        return {
            "PATH": os.defpath,
            "LANG": "en_US.UTF-8",
            "HOME": os.environ["HOME"],
            "TMPDIR": os.environ["TMPDIR"],
            **variables,
            "LAMBDA_TASK_ROOT": str(directory),
            # The directory of the code is made read-only by AWS; here the code of a deployment is shared.
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
        return InvocationResult(invocation.request_id, answer.payload, answer.is_error, logs)

    def stop(self) -> None:
        """End the process."""
        _executors.pop(self.id, None)
        if self.environment:
            self.environment.stop()

    def get_logs(self) -> str:
        """Return everything that was logged."""
        return self.environment.logs() if self.environment else ""

    def get_address(self) -> str:
        """Return where the function runs."""
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        """Return the host at which the function reaches AWS."""
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        """Return the address of LocalStack's own callbacks, which functions here do not use."""
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unzip the code when the function is deployed."""
        cls._unzip(function_version)

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Leave the code: it lies in the directory that goes with the server."""

    @staticmethod
    def _unzip(function_version: FunctionVersion) -> Path:
        code = function_version.config.code
        code.prepare_for_execution()
        return Path(code.get_unzipped_code_location())


def function_processes(_request: Request) -> Response:
    """Answer the control API with the processes of all functions."""
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
    """End the processes of all functions."""
    for executor in list(_executors.values()):
        try:
            executor.stop()
        except OSError as error:
            sys.stderr.write(f"could not stop {executor.function_version.id.function_name}: {error}\n")
