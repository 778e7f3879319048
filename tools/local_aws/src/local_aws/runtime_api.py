"""The platform's side of a Lambda execution environment: one process, and the Runtime API that it talks to.

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
JSON_FORMAT = "JSON"


@dataclass(frozen=True)
class Invocation:
    """One event for the function."""

    request_id: str
    payload: bytes
    function_arn: str
    trace_id: str


@dataclass(frozen=True)
class Answer:
    """What the function, or the platform in its place, answered.

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
    """Why the platform must answer in the place of the function."""

    error_type: str
    message: str
    status: str

    def answer(self, request_id: str) -> Answer:
        """Return the answer to an invocation."""
        text = f"RequestId: {request_id} Error: {self.message}"
        return Answer(json.dumps({"errorType": self.error_type, "errorMessage": text}).encode(), self.status)


def exit_error(code: int) -> PlatformError:
    """Say that the process ended, in the platform's words.

    Args:
        code: exit status, or the negative number of a signal.
    """
    if code == 0:
        message = "Runtime exited without providing a reason"
    elif code > 0:
        message = f"Runtime exited with error: exit status {code}"
    else:
        message = f"Runtime exited with error: signal: {(signal.strsignal(-code) or str(-code)).lower()}"
    return PlatformError("Runtime.ExitError", message, "failure")


def timeout_error(seconds: float) -> PlatformError:
    """Say that the function took too long."""
    return PlatformError("Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds", "timeout")


@dataclass(frozen=True)
class Function:
    """How to run a function.

    Attributes:
        command: starts the runtime client, which finds the Runtime API in AWS_LAMBDA_RUNTIME_API.
        environment: the whole environment of the process.
        directory: where the code lies.
        version: the function's version, for the log.
        timeout: seconds that an invocation may take.
        memory: megabytes, for the log.
        log_format: Text or JSON, for the platform's own log lines.
        init_timeout: seconds until the code must be loaded. AWS allows 10; a busy machine of a developer needs more.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    version: str
    timeout: int
    memory: int
    log_format: str = "Text"
    init_timeout: float = 20


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    runtime: ClassVar["Runtime"]

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the Runtime API's own traffic out of the log."""

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
    """One process under the runtime client. When it has ended, it is not used again."""

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
            stdin=subprocess.PIPE,  # its end tells the process that this one has ended
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        threading.Thread(target=self._reap, daemon=True).start()

    @property
    def pid(self) -> int:
        """Process id, which is also that of the process group."""
        return self._process.pid

    @property
    def request_id(self) -> str | None:
        """Id of the invocation in progress, if any."""
        return self._request_id

    @property
    def exited(self) -> bool:
        """Whether the process has ended."""
        return self._exited

    def wait_until_loaded(self, timeout: float) -> Answer | PlatformError | None:
        """Wait until the code is loaded.

        Returns:
            None, or the error when it cannot be loaded.

        Raises:
            TimeoutError: it took longer.
        """
        return self._loaded.result(timeout)

    def invoke(self, invocation: Invocation, timeout: float) -> Answer | PlatformError:
        """Let the process handle an event.

        Raises:
            TimeoutError: it took longer than `timeout` seconds. The process is still at it.
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
        """End the process, and every process that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def next(self) -> tuple[Invocation, int] | None:
        """Hand the next invocation to the process; None when there is no process any more."""
        _settle(self._loaded, None)
        return self._work.get()

    def init_failed(self, answer: Answer) -> None:
        """Take the error of code that cannot be loaded."""
        _settle(self._loaded, answer)

    def answered(self, request_id: str, answer: Answer) -> None:
        """Take the answer to an invocation, unless it comes too late."""
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
    # The first word counts: an exit after an answer changes nothing.
    if not future.done():
        future.set_result(value)


class ExecutionEnvironment:
    """A place in which a function is invoked again and again: a new process takes over when one has ended."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this object
        self._read_offset = 0
        self._load_error: Answer | PlatformError | None = None
        self._runtime: Runtime | None = None

    @property
    def runtime(self) -> Runtime | None:
        """The present process, if one was started."""
        return self._runtime

    def start(self) -> None:
        """Load the code. An error is kept for the first invocation, which is where AWS reports it."""
        self._runtime = Runtime(self._function, self._log.fileno())
        try:
            self._load_error = self._runtime.wait_until_loaded(self._function.init_timeout)
        except FutureTimeout:
            self._runtime.kill()
            self._load_error = timeout_error(self._function.init_timeout)

    def invoke(self, invocation: Invocation) -> tuple[Answer, str]:
        """Invoke the function.

        Returns:
            The answer, and what was logged since the last one.
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
            timeout = timeout_error(self._function.timeout)
            self._log_text(f"{_timestamp()} {invocation.request_id} {timeout.message}\n\n")
            return timeout

    def stop(self) -> None:
        """End the process, if any."""
        if self._runtime:
            self._runtime.kill()

    def logs(self) -> str:
        """Return everything that was logged."""
        return self._read_log(0, self._log_size())

    # The process writes to the same open file, so that its lines and the platform's lie in the order of writing.
    def _log_size(self) -> int:
        return os.fstat(self._log.fileno()).st_size

    def _read_log(self, start: int, end: int) -> str:
        return os.pread(self._log.fileno(), end - start, start).decode(errors="replace")

    def _log_line(self, text: str) -> None:
        os.write(self._log.fileno(), text.encode())

    def _log_text(self, text: str) -> None:
        if self._function.log_format != JSON_FORMAT:
            self._log_line(text)

    # https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
    def _log_record(self, kind: str, record: Mapping[str, Any]) -> None:
        if self._function.log_format == JSON_FORMAT:
            self._log_line(json.dumps({"time": _timestamp(), "type": kind, "record": record}) + "\n")

    def _log_start(self, invocation: Invocation) -> None:
        request_id, version = invocation.request_id, self._function.version
        self._log_text(f"START RequestId: {request_id} Version: {version}\n")
        self._log_record("platform.start", {"requestId": request_id, "version": version})

    def _log_report(self, invocation: Invocation, milliseconds: float, status: str) -> None:
        request_id, memory = invocation.request_id, self._function.memory
        self._log_text(
            f"END RequestId: {request_id}\n"
            f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\tMemory Size: {memory} MB\n"
        )
        metrics = {"durationMs": round(milliseconds, 3), "memorySizeMB": memory}
        self._log_record("platform.report", {"requestId": request_id, "metrics": metrics, "status": status})


def _timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
