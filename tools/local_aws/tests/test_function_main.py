"""The start of the process of a function."""

import subprocess
import sys
from pathlib import Path

from local_aws import function_main

RUNTIME_CLIENT = "import sys, time; print(sys.argv, sys.path[0], repr(sys.stdin.read()), flush=True); time.sleep(600)"


def test_function_main_runs_the_runtime_client_and_ends_with_its_starter(tmp_path: Path) -> None:
    (tmp_path / "awslambdaric.py").write_text(RUNTIME_CLIENT)
    process = subprocess.Popen(
        [sys.executable, function_main.__file__, "module.handler"],
        env={"LAMBDA_TASK_ROOT": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == f"{['awslambdaric', 'module.handler']} {tmp_path} ''\n"
    process.stdin.close()
    assert process.wait(60) == -9
    process.stdout.close()
