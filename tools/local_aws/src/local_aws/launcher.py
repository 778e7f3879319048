"""Starts and stops a local AWS: LocalStack in a child process, on a free loopback port, with temporary state."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from local_aws import control_api

REGION = "eu-west-1"
STATE_FILE = "local-aws.json"
LOG_FILE = "local-aws.log"
READY_TIMEOUT = 60.0
STOP_TIMEOUT = 10.0
POLL_INTERVAL = 0.1
LOG_TAIL_LINES = 30

_CALLERS_OWN = ("AWS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class LocalAwsError(Exception):
    """A local AWS cannot be started, reached or stopped."""


@dataclass(frozen=True)
class FunctionProcess:
    """The process of one Lambda execution environment.

    Attributes:
        request_id: id of the invocation in progress; None if there is none.
    """

    function_name: str
    pid: int
    request_id: str | None


def client_environment(endpoint: str) -> dict[str, str]:
    """Return the variables that direct Terraform and the SDKs to a local AWS only."""
    host = "127.0.0.1,localhost"
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        # The profiles of the caller may set other endpoints, roles and Regions.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": host,
        "no_proxy": host,
    }


def clean_environment(additions: Mapping[str, str], base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a process environment without the AWS settings and the proxies of the caller.

    Args:
        additions: variables to set, such as LocalAws.environment.
        base: variables to start from; os.environ by default.
    """
    kept = {
        name: value
        for name, value in (os.environ if base is None else base).items()
        if not name.upper().startswith(_CALLERS_OWN)
    }
    return {**kept, **additions}


class LocalAws:
    """A local AWS that runs for as long as the `with` block, and never longer than this process.

    Args:
        python: interpreter of the environment with the local-aws lock and this package.
        functions_python: interpreter of the environment with the functions lock.
        log: file for the log of LocalStack; by default a file that is removed with the state.
    """

    def __init__(self, python: Path, functions_python: Path, *, log: Path | None = None) -> None:
        _require_interpreters(python, functions_python)
        self._python = python
        self._functions_python = functions_python
        self._log = log
        self._state_dir: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._endpoint = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """Address of all services."""
        if not self._endpoint:
            raise LocalAwsError("the local AWS is not running")
        return self._endpoint

    @property
    def environment(self) -> dict[str, str]:
        """Variables for Terraform and the SDKs; clean_environment merges them with those of the caller."""
        return client_environment(self.endpoint)

    @property
    def pid(self) -> int:
        """Process id of LocalStack."""
        if self._process is None:
            raise LocalAwsError("the local AWS is not running")
        return self._process.pid

    def start(self) -> None:
        """Start LocalStack, and wait until it is ready.

        Raises:
            LocalAwsError: LocalStack ended or was not ready in time; the message has the end of its log.
        """
        if self._process:
            raise LocalAwsError(f"the local AWS is already running: {self._endpoint}")
        self._state_dir = Path(tempfile.mkdtemp(prefix="local-aws-")).resolve()
        log = self._log or self._state_dir / LOG_FILE
        try:
            self._process, self._endpoint = _spawn(
                self._python, self._functions_python, self._state_dir, log, detached=False
            )
            _wait_until_ready(self._process, self._endpoint, log)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop LocalStack and the processes of the functions, and remove all state."""
        if self._process:
            _terminate(self._process)
        if self._state_dir:
            shutil.rmtree(self._state_dir, ignore_errors=True)
        self._process, self._state_dir, self._endpoint = None, None, ""

    def functions(self, name: str | None = None) -> list[FunctionProcess]:
        """Return the processes of one function or of all functions."""
        processes = [
            FunctionProcess(process["functionName"], process["pid"], process["requestId"])
            for process in control_api.call(self.endpoint, "/_local_aws/functions")["processes"]
        ]
        return [process for process in processes if name in (None, process.function_name)]

    def terraform_calls(self) -> dict[str, set[str]]:
        """Return what Terraform has called so far, such as `lambda:CreateFunction`, by account."""
        found: dict[str, set[str]] = {}
        for account, call in control_api.call(self.endpoint, "/_local_aws/terraform-calls")["calls"]:
            found.setdefault(account, set()).add(call)
        return found

    @staticmethod
    def start_detached(python: Path, functions_python: Path, state_dir: Path) -> Path:
        """Start a local AWS that continues to run after this process.

        Args:
            python: as for the class.
            functions_python: as for the class.
            state_dir: directory of the state file and the log; created if it does not exist.

        Returns:
            The state file for stop_detached: a JSON object with endpoint, pid and state_dir.

        Raises:
            LocalAwsError: a local AWS with this directory is already running, or LocalStack does not get ready.
        """
        _require_interpreters(python, functions_python)
        state_file = state_dir.resolve() / STATE_FILE
        if state_file.exists():
            raise LocalAwsError(f"a local AWS with this state file is already running: {state_file}; stop it first")
        data = state_file.parent / "data"
        data.mkdir(parents=True, exist_ok=True)
        log = state_file.parent / LOG_FILE
        process, endpoint = _spawn(python, functions_python, data, log, detached=True)
        try:
            _wait_until_ready(process, endpoint, log)
        except BaseException:
            _terminate(process)
            shutil.rmtree(data, ignore_errors=True)
            raise
        state = {"endpoint": endpoint, "pid": process.pid, "state_dir": str(state_file.parent)}
        state_file.write_text(json.dumps(state, indent=2) + "\n")
        # The child continues to run. Without this, Python warns that the child still runs.
        process.returncode = 0
        return state_file

    @staticmethod
    def stop_detached(state_file: Path) -> None:
        """Stop a local AWS that start_detached started, and remove its state.

        Raises:
            LocalAwsError: the state file is missing or invalid, or another process has its endpoint.
        """
        try:
            state = json.loads(state_file.read_text())
            endpoint, pid, state_dir = state["endpoint"], int(state["pid"]), Path(state["state_dir"])
        except (OSError, ValueError, KeyError) as error:
            raise LocalAwsError(
                f"state file is {state_file}; expected the state file of a local AWS: {error!r}"
            ) from error
        if _listens(endpoint):
            # The system reuses process ids, so the process must confirm its id before it is stopped.
            found = _status(endpoint).get("pid")
            if found != pid:
                raise LocalAwsError(
                    f"{endpoint} belongs to process {found}; expected {pid} of {state_file}; not stopped"
                )
            os.kill(pid, signal.SIGTERM)
            if not _wait_until_silent(endpoint):
                os.killpg(pid, signal.SIGKILL)
        shutil.rmtree(state_dir / "data", ignore_errors=True)
        (state_dir / LOG_FILE).unlink(missing_ok=True)
        state_file.unlink()


def _require_interpreters(*paths: Path) -> None:
    for path in paths:
        if not (path.is_file() and os.access(path, os.X_OK)):
            raise LocalAwsError(f"interpreter is {path}; expected an executable file")


def _spawn(
    python: Path, functions_python: Path, data: Path, log: Path, *, detached: bool
) -> tuple[subprocess.Popen[bytes], str]:
    # The child inherits the open socket, so that no other process can take the port.
    # The server is of the version of this launcher, whatever package the interpreter has: `-m` looks here first.
    package = data / "local_aws"
    package.unlink(missing_ok=True)
    package.symlink_to(Path(__file__).resolve().parent)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        command = [str(python.absolute()), "-m", "local_aws.server", str(data)]
        (data / "tmp").mkdir(exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                command if detached else [*command, "--until-stdin-closes"],
                cwd=data,
                env=_server_environment(functions_python, data, address, listener.fileno()),
                # The pipe closes when this process ends, for whatever reason. Then the server ends too.
                stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
    return process, f"http://{address}"


def _server_environment(functions_python: Path, data: Path, address: str, listener: int) -> dict[str, str]:
    """Return the complete environment of LocalStack, without the settings of the caller's own LocalStack."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(data),
        "TMPDIR": str(data / "tmp"),
        "XDG_CACHE_HOME": str(data / "cache"),
        "FILESYSTEM_ROOT": str(data / "fs"),
        "PYTHONUNBUFFERED": "1",
        "GATEWAY_LISTEN": address,
        "LOCALSTACK_HOST": address,
        "GATEWAY_SERVER": "loopback",
        "LOCAL_AWS_SOCKET": str(listener),
        "PROVIDER_OVERRIDE_DYNAMODB": "local_aws",
        "PROVIDER_OVERRIDE_KMS": "local_aws",
        "PROVIDER_OVERRIDE_LOGS": "local_aws",
        "PROVIDER_OVERRIDE_S3": "local_aws",
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        # Longer than the limit of the execution environment, which reports a slow start as AWS does.
        "LAMBDA_RUNTIME_ENVIRONMENT_TIMEOUT": "60",
        "LOCAL_AWS_CLOCK": str(data / "clock"),
        # Not resolved: the path of the link selects the virtual environment.
        "LOCAL_AWS_FUNCTIONS_PYTHON": str(functions_python.absolute()),
        # No connections from this machine: no usage data, no downloads, no DNS.
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        # Otherwise LocalStack detects a container on some virtual machines and writes to system directories.
        "OVERRIDE_IN_DOCKER": "0",
        # Terraform cannot read the queue URLs of the other strategies.
        "SQS_ENDPOINT_STRATEGY": "off",
    }


def _status(endpoint: str) -> dict[str, object]:
    try:
        return control_api.call(endpoint, "/_local_aws", timeout=2)
    except control_api.ControlApiError:
        return {}


def _listens(endpoint: str) -> bool:
    host, port = endpoint.removeprefix("http://").split(":")
    with socket.socket() as client:
        client.settimeout(2)
        return client.connect_ex((host, int(port))) == 0


def _wait_until_ready(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    give_up = time.monotonic() + READY_TIMEOUT
    while not _status(endpoint).get("ready"):
        if (code := process.poll()) is not None:
            raise LocalAwsError(f"LocalStack ended with exit status {code} before it was ready.\n{_tail(log)}")
        if time.monotonic() > give_up:
            raise LocalAwsError(f"LocalStack was not ready after {READY_TIMEOUT:g} seconds.\n{_tail(log)}")
        time.sleep(POLL_INTERVAL)


def _wait_until_silent(endpoint: str) -> bool:
    give_up = time.monotonic() + STOP_TIMEOUT
    while _listens(endpoint):
        if time.monotonic() > give_up:
            return False
        time.sleep(POLL_INTERVAL)
    return True


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return "\n".join([f"Last lines of its log, {log}:", *(f"  {line}" for line in lines)])


def _terminate(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            # The processes of the functions have their own process groups; they end because their starter ends.
            sys.stderr.write(f"local AWS: process {process.pid} did not end after SIGTERM; killing it\n")
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.stdin:
        process.stdin.close()
