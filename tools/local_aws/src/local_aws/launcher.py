"""Starts and stops a local AWS: LocalStack as a process of its own, on a free loopback port, with throwaway state."""

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
    """The process of one Lambda execution environment."""

    function_name: str
    pid: int
    request_id: str | None
    """Id of the invocation in progress; None while it waits for one."""


def client_environment(endpoint: str) -> dict[str, str]:
    """Return the variables with which Terraform and the SDKs use a local AWS, and it alone."""
    host = "127.0.0.1,localhost"
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        # The caller's profiles may hold endpoints, roles and Regions of their own.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": host,
        "no_proxy": host,
    }


def clean_environment(additions: Mapping[str, str], base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a process environment in which nothing of the caller's AWS set-up or proxies is left.

    Args:
        additions: variables to set, such as LocalAws.environment.
        base: where to start; os.environ by default.
    """
    kept = {
        name: value
        for name, value in (os.environ if base is None else base).items()
        if not name.upper().startswith(_CALLERS_OWN)
    }
    return {**kept, **additions}


class LocalAws:
    """A local AWS that lives as long as the `with` block, and never longer than this process.

    Args:
        python: interpreter of the environment with the local-aws lock and this package.
        functions_python: interpreter of the environment with the functions lock.
        log: where to write LocalStack's log; otherwise it goes with the state.
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
        """Address of every service."""
        if not self._endpoint:
            raise LocalAwsError("the local AWS is not started")
        return self._endpoint

    @property
    def environment(self) -> dict[str, str]:
        """Variables for Terraform and the SDKs; lay them over the caller's with clean_environment."""
        return client_environment(self.endpoint)

    @property
    def pid(self) -> int:
        """Process id of LocalStack."""
        if self._process is None:
            raise LocalAwsError("the local AWS is not started")
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it is ready.

        Raises:
            LocalAwsError: it ended or was not ready in time; the message holds the end of its log.
        """
        if self._process:
            raise LocalAwsError(f"the local AWS is started already: {self._endpoint}")
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
        """Stop LocalStack and the functions' processes, and remove all state."""
        if self._process:
            _terminate(self._process)
        if self._state_dir:
            shutil.rmtree(self._state_dir, ignore_errors=True)
        self._process, self._state_dir, self._endpoint = None, None, ""

    def functions(self, name: str | None = None) -> list[FunctionProcess]:
        """Return the processes of functions: of one function, or of all."""
        processes = [
            FunctionProcess(process["functionName"], process["pid"], process["requestId"])
            for process in control_api.call(self.endpoint, "/_local_aws/functions")["processes"]
        ]
        return [process for process in processes if name in (None, process.function_name)]

    @staticmethod
    def start_detached(python: Path, functions_python: Path, state_dir: Path) -> Path:
        """Start a local AWS that outlives this process.

        Args:
            python: as for the class.
            functions_python: as for the class.
            state_dir: directory for the state file and the log; made if need be.

        Returns:
            The state file, a JSON object with endpoint, pid and state_dir. It is what stop_detached takes.

        Raises:
            LocalAwsError: one is started there already, or it does not come up.
        """
        _require_interpreters(python, functions_python)
        state_file = state_dir.resolve() / STATE_FILE
        if state_file.exists():
            raise LocalAwsError(f"a local AWS is started there already: {state_file}; stop it first")
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
        # It is meant to live on: without this, Python warns of a child that nobody waited for.
        process.returncode = 0
        return state_file

    @staticmethod
    def stop_detached(state_file: Path) -> None:
        """Stop what start_detached has started, and remove its state.

        Raises:
            LocalAwsError: there is no such state file, or the process does not answer as the one that was started.
        """
        try:
            state = json.loads(state_file.read_text())
            endpoint, pid, state_dir = state["endpoint"], int(state["pid"]), Path(state["state_dir"])
        except (OSError, ValueError, KeyError) as error:
            raise LocalAwsError(f"not the state file of a local AWS: {state_file}: {error!r}") from error
        if _listens(endpoint):
            # Process ids are used again: end only the process that says of itself that it is the one.
            found = _status(endpoint).get("pid")
            if found != pid:
                raise LocalAwsError(f"{endpoint} belongs to process {found}, not to {pid} of {state_file}: not stopped")
            os.kill(pid, signal.SIGTERM)
            if not _wait_until_silent(endpoint):
                os.killpg(pid, signal.SIGKILL)
        shutil.rmtree(state_dir / "data", ignore_errors=True)
        (state_dir / LOG_FILE).unlink(missing_ok=True)
        state_file.unlink()


def _require_interpreters(*paths: Path) -> None:
    for path in paths:
        if not (path.is_file() and os.access(path, os.X_OK)):
            raise LocalAwsError(f"no such interpreter: {path}")


def _spawn(
    python: Path, functions_python: Path, data: Path, log: Path, *, detached: bool
) -> tuple[subprocess.Popen[bytes], str]:
    # The socket is opened here and handed down, so that no other process can take the port in between.
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
                # Its other end closes with this process, however that ends: the server reads it to end as well.
                stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
    return process, f"http://{address}"


def _server_environment(functions_python: Path, data: Path, address: str, listener: int) -> dict[str, str]:
    """Return the whole environment of LocalStack: settings of the caller's own LocalStack do not belong here."""
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
        "PROVIDER_OVERRIDE_S3": "local_aws",
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        # Longer than the execution environment's own limit, which reports a slow start as AWS does.
        "LAMBDA_RUNTIME_ENVIRONMENT_TIMEOUT": "60",
        # Not resolved: the link is what makes an interpreter that of its virtual environment.
        "LOCAL_AWS_FUNCTIONS_PYTHON": str(functions_python.absolute()),
        # Nothing may leave the machine, neither usage figures nor downloads nor name queries.
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        # Otherwise it takes some virtual machines for a container and writes to system directories.
        "OVERRIDE_IN_DOCKER": "0",
        # Terraform cannot read back the queue addresses of the other strategies.
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
    return "\n".join([f"The end of its log, {log}:", *(f"  {line}" for line in lines)])


def _terminate(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            # The functions' processes are in groups of their own; they end because their starter has ended.
            sys.stderr.write(f"local AWS: process {process.pid} did not end by SIGTERM and is killed\n")
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.stdin:
        process.stdin.close()
