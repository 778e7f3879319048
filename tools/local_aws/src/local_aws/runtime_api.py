"""A Lambda execution environment: one process, and the Runtime API that the process calls.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

API = "/2018-06-01/runtime/"


@dataclass(frozen=True)
class Invocation:
    """One event for the function, with its metadata."""

    request_id: str
    payload: bytes
    function_arn: str
    trace_id: str


@dataclass(frozen=True)
class Answer:
    """The answer of the function, or of the platform if the function cannot answer.

    Attributes:
        payload: JSON.
        status: success, error (of the function), failure (of its process) or timeout.
    """

    payload: bytes
    status: str = "success"

    @property
    def is_error(self) -> bool:
        """Whether the invocation failed."""
        return self.status != "success"


@dataclass(frozen=True)
class PlatformError:
    """The reason for an answer of the platform."""

    error_type: str
    message: str
    status: str

    def answer(self, request_id: str) -> Answer:
        """Return the answer to an invocation."""
        text = f"RequestId: {request_id} Error: {self.message}"
        return Answer(json.dumps({"errorType": self.error_type, "errorMessage": text}).encode(), self.status)


def exit_error(code: int) -> PlatformError:
    """Return the platform's error for a process that ended.

    Args:
        code: exit status, or the negative number of the signal that killed the process.
    """
    if code == 0:
        message = "Runtime exited without providing a reason"
    elif code > 0:
        message = f"Runtime exited with error: exit status {code}"
    else:
        message = f"Runtime exited with error: signal: {(signal.strsignal(-code) or str(-code)).lower()}"
    return PlatformError("Runtime.ExitError", message, "failure")


def timeout_error(seconds: float) -> PlatformError:
    """Return the platform's error for a function that exceeded its timeout."""
    return PlatformError("Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds", "timeout")


@dataclass(frozen=True)
class Function:
    """The command, the settings and the limits of a function.

    Attributes:
        command: starts the runtime client, which reads the address of the Runtime API from AWS_LAMBDA_RUNTIME_API.
        environment: the whole environment of the process.
        directory: directory of the code.
        version: the function's version, for the log.
        timeout: seconds for one invocation.
        memory: megabytes, for the log.
        init_timeout: seconds to load the code. AWS allows 10; a busy developer machine needs more.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    version: str
    timeout: int
    memory: int
    init_timeout: float = 20


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    runtime: ClassVar["Runtime"]

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: requests to the Runtime API do not belong in the log."""

    def do_GET(self) -> None:
        if self.path != f"{API}invocation/next":
            self._reply(404)
            return
        work = self.runtime.next()
        if work is None:
            self.close_connection = True
            return
        invocation, deadline = work
        self._reply(
            200,
            invocation.payload,
            {
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(deadline),
                "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
                "Lambda-Runtime-Trace-Id": invocation.trace_id,
            },
        )

    def do_POST(self) -> None:
        body = self._read_body()
        match self.path.removeprefix(API).split("/"):
            case ["init", "error"]:
                self.runtime.init_failed(Answer(body, "error"))
            case ["invocation", request_id, ("response" | "error") as kind]:
                self.runtime.answered(request_id, Answer(body, "error" if kind == "error" else "success"))
            case _:
                self._reply(404)
                return
        self._reply(202, b'{"status":"OK"}')

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _reply(self, status: int, body: bytes = b"{}", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


class Runtime:
    """One process of the runtime client. A process that has ended is not reused."""

    def __init__(self, function: Function, log: int) -> None:
        self._lock = threading.Lock()
        self._work: queue.Queue[tuple[Invocation, int] | None] = queue.Queue()
        self._loaded: Future[Answer | PlatformError | None] = Future()
        self._answer: Future[Answer | PlatformError] | None = None
        self._request_id: str | None = None
        self._exited = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"runtime": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._process = subprocess.Popen(
            function.command,
            cwd=function.directory,
            env={**function.environment, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}"},
            stdin=subprocess.PIPE,  # the process ends when this pipe closes
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        threading.Thread(target=self._reap, daemon=True).start()

    @property
    def pid(self) -> int:
        """Process id and process group id."""
        return self._process.pid

    @property
    def request_id(self) -> str | None:
        """Id of the invocation in progress; None if there is none."""
        return self._request_id

    @property
    def exited(self) -> bool:
        """Whether the process has ended."""
        return self._exited

    def wait_until_loaded(self, timeout: float) -> Answer | PlatformError | None:
        """Wait until the code is loaded.

        Returns:
            None, or the error if the code cannot be loaded.

        Raises:
            TimeoutError: loading took longer than `timeout` seconds.
        """
        return self._loaded.result(timeout)

    def invoke(self, invocation: Invocation, timeout: float) -> Answer | PlatformError:
        """Send an event to the process and wait for its answer.

        Raises:
            TimeoutError: the process needs more than `timeout` seconds. It continues to run.
        """
        answer: Future[Answer | PlatformError] = Future()
        deadline = int((time.time() + timeout) * 1000)
        with self._lock:
            self._answer, self._request_id = answer, invocation.request_id
            if self._exited:
                return exit_error(self._process.wait())
            self._work.put((invocation, deadline))
        return answer.result(timeout)

    def kill(self) -> None:
        """Kill the process and all processes that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def next(self) -> tuple[Invocation, int] | None:
        """Return the next invocation for the process; None if the process has ended."""
        _settle(self._loaded, None)
        return self._work.get()

    def init_failed(self, answer: Answer) -> None:
        """Record the error of code that cannot be loaded."""
        _settle(self._loaded, answer)

    def answered(self, request_id: str, answer: Answer) -> None:
        """Record the answer to an invocation, unless the invocation has ended."""
        with self._lock:
            if request_id == self._request_id and self._answer:
                _settle(self._answer, answer)
                self._request_id = None

    def _reap(self) -> None:
        error = exit_error(self._process.wait())
        with self._lock:
            self._exited = True
            _settle(self._loaded, error)
            if self._answer:
                _settle(self._answer, error)
        self._work.put(None)
        if self._process.stdin:
            self._process.stdin.close()
        self._server.shutdown()
        self._server.server_close()


def _settle(future: Future[Any], value: object) -> None:
    # The first result is final: an exit after an answer changes nothing.
    if not future.done():
        future.set_result(value)


class ExecutionEnvironment:
    """An execution environment that handles one invocation after the other, with a new process if one has ended."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this object
        self._read_offset = 0
        self._load_error: Answer | PlatformError | None = None
        self._runtime: Runtime | None = None

    @property
    def runtime(self) -> Runtime | None:
        """The current process; None if no process was started."""
        return self._runtime

    def start(self) -> None:
        """Load the code. The first invocation returns an error of loading, as in AWS."""
        self._runtime = Runtime(self._function, self._log.fileno())
        try:
            self._load_error = self._runtime.wait_until_loaded(self._function.init_timeout)
        except FutureTimeout:
            self._runtime.kill()
            self._load_error = timeout_error(self._function.init_timeout)

    def invoke(self, invocation: Invocation) -> tuple[Answer, str]:
        """Invoke the function.

        Returns:
            The answer, and the log since the last answer.
        """
        if self._load_error is None and (self._runtime is None or self._runtime.exited):
            self.start()
        started = time.monotonic()
        self._log_start(invocation)
        outcome = self._outcome(invocation)
        answer = outcome.answer(invocation.request_id) if isinstance(outcome, PlatformError) else outcome
        self._log_report(invocation, (time.monotonic() - started) * 1000, answer.status)
        start, self._read_offset = self._read_offset, self._log_size()
        return answer, self._read_log(start, self._read_offset)

    def _outcome(self, invocation: Invocation) -> Answer | PlatformError:
        if self._load_error is not None:
            error, self._load_error, self._runtime = self._load_error, None, None
            return error
        if self._runtime is None:
            raise RuntimeError("the execution environment was never started")
        try:
            return self._runtime.invoke(invocation, self._function.timeout)
        except FutureTimeout:
            self._runtime.kill()
            return timeout_error(self._function.timeout)

    def stop(self) -> None:
        """Kill the process, if there is one."""
        if self._runtime:
            self._runtime.kill()

    def logs(self) -> str:
        """Return the whole log."""
        return self._read_log(0, self._log_size())

    # The process writes to the same open file, so its lines and the platform's are in the order of writing.
    def _log_size(self) -> int:
        return os.fstat(self._log.fileno()).st_size

    def _read_log(self, start: int, end: int) -> str:
        return os.pread(self._log.fileno(), end - start, start).decode(errors="replace")

    # The platform logs JSON only: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
    def _log_record(self, kind: str, record: Mapping[str, Any]) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"time": now, "type": kind, "record": record})
        os.write(self._log.fileno(), f"{line}\n".encode())

    def _log_start(self, invocation: Invocation) -> None:
        self._log_record("platform.start", {"requestId": invocation.request_id, "version": self._function.version})

    def _log_report(self, invocation: Invocation, milliseconds: float, status: str) -> None:
        metrics = {"durationMs": round(milliseconds, 3), "memorySizeMB": self._function.memory}
        report = {"requestId": invocation.request_id, "metrics": metrics, "status": status}
        self._log_record("platform.report", report)
