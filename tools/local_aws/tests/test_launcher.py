"""Start and stop of a local AWS, with a minimal fake of LocalStack."""

import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from local_aws import __main__, launcher
from local_aws.launcher import LocalAws, LocalAwsError, clean_environment, client_environment

PYTHON = Path(sys.executable)

SERVE = """
import http.server, json, os, socket, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"pid": os.getpid() + WRONG, "ready": True, "environment": dict(os.environ),
                           "package": os.path.realpath("local_aws")}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=int(os.environ["LOCAL_AWS_SOCKET"]))
def lifeline():
    os.read(0, 1); os._exit(0)
if "--until-stdin-closes" in sys.argv: threading.Thread(target=lifeline, daemon=True).start()
server.serve_forever()
"""

MakePython = Callable[[str], Path]


@pytest.fixture
def make_python(tmp_path: Path) -> MakePython:
    """Makes an interpreter whose `-m local_aws.server` runs the given code."""

    def make(code: str) -> Path:
        script = tmp_path / "server.py"
        script.write_text(f"import sys, time\n{code}")
        python = tmp_path / "python"
        python.write_text(f'#!/bin/sh\nshift 2\nexec "{PYTHON}" "{script}" "$@"\n')
        python.chmod(0o755)
        return python

    return make


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the test in which state directories are created."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


def serving(wrong_by: int = 0) -> str:
    return f"WRONG = {wrong_by}\n{SERVE}"


def alive(endpoint: str) -> bool:
    host, port = endpoint.removeprefix("http://").split(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def test_local_aws_serves_in_its_block_and_leaves_nothing(make_python: MakePython, temporary: Path) -> None:
    with LocalAws(make_python(serving()), PYTHON) as local_aws:
        endpoint, pid = local_aws.endpoint, local_aws.pid
        assert endpoint.startswith("http://127.0.0.1:")
        assert launcher._status(endpoint)["pid"] == pid
    assert not alive(endpoint)
    assert list(temporary.iterdir()) == []


def test_two_local_aws_run_at_the_same_time(make_python: MakePython) -> None:
    python = make_python(serving())
    with LocalAws(python, PYTHON) as one, LocalAws(python, PYTHON) as other:
        assert one.endpoint != other.endpoint


def test_localstack_gets_no_settings_of_the_caller(make_python: MakePython, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_CA_BUNDLE", "HTTPS_PROXY", "PYTHONPATH", "DEBUG", "SERVICES"):
        monkeypatch.setenv(name, "/callers/own")
    with LocalAws(make_python(serving()), PYTHON) as local_aws:
        environment = launcher._status(local_aws.endpoint)["environment"]
    assert "/callers/own" not in str(environment)


def test_server_is_of_the_version_of_the_launcher(make_python: MakePython) -> None:
    with LocalAws(make_python(serving()), PYTHON) as local_aws:
        status = launcher._status(local_aws.endpoint)
    assert status["package"] == str(Path(launcher.__file__).resolve().parent)
    assert Path(launcher.__file__).exists()


def test_error_of_a_localstack_that_ends_has_the_end_of_its_log(make_python: MakePython, temporary: Path) -> None:
    local_aws = LocalAws(make_python("print('no module named localstack'); sys.exit(3)"), PYTHON)
    with pytest.raises(LocalAwsError, match=r"exit status 3(.|\n)*no module named localstack"):
        local_aws.start()
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_error_of_a_localstack_that_never_gets_ready_has_the_end_of_its_log(
    make_python: MakePython, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = itertools.count()

    def monotonic() -> float:
        logs = "".join(log.read_text() for log in temporary.rglob("*.log"))
        return launcher.READY_TIMEOUT + 1 if next(asked) and "still thinking" in logs else 0

    monkeypatch.setattr(launcher, "time", SimpleNamespace(monotonic=monotonic, sleep=time.sleep))
    local_aws = LocalAws(make_python("print('still thinking', flush=True); time.sleep(600)"), PYTHON)
    with pytest.raises(LocalAwsError, match=r"not ready after 60 seconds(.|\n)*still thinking"):
        local_aws.start()
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_localstack_that_ignores_sigterm_is_killed(make_python: MakePython, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "STOP_TIMEOUT", 0.5)
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + serving()
    with LocalAws(make_python(code), PYTHON) as local_aws:
        endpoint = local_aws.endpoint
    assert not alive(endpoint)


def test_local_aws_ends_when_its_starter_is_killed(
    make_python: MakePython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "STOP_TIMEOUT", 600)
    python = make_python(serving())
    code = (
        "import sys; from pathlib import Path; from local_aws import LocalAws; "
        f"aws = LocalAws(Path({str(python)!r}), Path(sys.executable)); aws.start(); "
        "print(aws.endpoint, flush=True); input()"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert starter.stdout is not None
    endpoint = starter.stdout.readline().strip()
    assert alive(endpoint)
    starter.kill()
    starter.communicate()
    assert launcher._wait_until_silent(endpoint)


def test_missing_interpreter_is_named() -> None:
    with pytest.raises(LocalAwsError, match="/no/such/python"):
        LocalAws(Path("/no/such/python"), PYTHON)


def test_relative_path_of_an_interpreter_is_accepted(make_python: MakePython, monkeypatch: pytest.MonkeyPatch) -> None:
    python = make_python(serving())
    monkeypatch.chdir(python.parent)
    with LocalAws(Path(python.name), PYTHON) as local_aws:
        assert alive(local_aws.endpoint)


def test_detached_local_aws_runs_until_it_is_stopped(make_python: MakePython, tmp_path: Path) -> None:
    python, directory = make_python(serving()), tmp_path / "demo"
    state_file = LocalAws.start_detached(python, PYTHON, directory)
    state = json.loads(state_file.read_text())
    assert alive(state["endpoint"])
    with pytest.raises(LocalAwsError, match=str(state_file)):
        LocalAws.start_detached(python, PYTHON, directory)
    assert __main__.main(["stop", str(state_file)]) == 0
    assert not alive(state["endpoint"])
    assert list(directory.iterdir()) == []


def test_process_that_the_state_file_does_not_name_is_not_stopped(make_python: MakePython, tmp_path: Path) -> None:
    with LocalAws(make_python(serving(wrong_by=1)), PYTHON) as local_aws:
        state_file = tmp_path / "local-aws.json"
        state = {"endpoint": local_aws.endpoint, "pid": local_aws.pid, "state_dir": str(tmp_path)}
        state_file.write_text(json.dumps(state))
        with pytest.raises(LocalAwsError, match="not stopped"):
            LocalAws.stop_detached(state_file)
        assert alive(local_aws.endpoint)


def test_stop_without_a_state_file_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["stop", str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err


def test_clean_environment_has_no_aws_settings_or_proxies_of_the_caller() -> None:
    base = {"AWS_PROFILE": "prod", "AWS_CA_BUNDLE": "/x", "https_proxy": "http://x", "PATH": "/bin"}
    endpoint = "http://127.0.0.1:1"
    assert clean_environment(client_environment(endpoint), base) == {"PATH": "/bin", **client_environment(endpoint)}
