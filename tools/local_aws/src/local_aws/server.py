"""The process of a local AWS: LocalStack and the control API. At its end it removes all state.

The launcher starts it in the interpreter that has LocalStack.
"""

import argparse
import os
import shutil
import signal
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

REMOVE_ATTEMPTS = 100


def main() -> int:
    """Serve until SIGTERM, SIGINT or, with --until-stdin-closes, the end of the process that started this process."""
    parser = argparse.ArgumentParser(prog="local_aws.server", description=__doc__)
    parser.add_argument("state_dir", type=Path, help="directory of all state; removed at the end")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when stdin closes")
    arguments = parser.parse_args()

    def end(*_: object) -> None:
        # All state is discarded, so an orderly shutdown of LocalStack, which takes several seconds, has no benefit.
        if "local_aws.plugins.executor" in sys.modules:
            sys.modules["local_aws.plugins.executor"].stop_all()
        remove(arguments.state_dir)
        os._exit(0)

    def end_with_starter() -> None:
        sys.stdin.buffer.read()
        end()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    if arguments.until_stdin_closes:
        threading.Thread(target=end_with_starter, name="lifeline", daemon=True).start()
    return serve()


def remove(directory: Path) -> None:
    """Remove a directory while other threads of this process may still write to it."""
    for _ in range(REMOVE_ATTEMPTS):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return
        time.sleep(0.01)


def serve() -> int:
    """Run LocalStack with the control API."""
    from localstack.aws import handlers
    from localstack.aws.api import RequestContext
    from localstack.http import Request, Response
    from localstack.logging.setup import setup_logging_from_config
    from localstack.runtime import current
    from localstack.services.edge import ROUTER

    from local_aws import clock
    from local_aws.plugins import ecr, executor

    setup_logging_from_config()
    runtime = current.initialize_runtime()

    def status(_request: Request) -> Response:
        return Response.for_json({"pid": os.getpid(), "ready": runtime.is_ready()})

    def tell_time(request: Request) -> Response:
        if request.method == "PUT":
            clock.shared().advance(timedelta(seconds=request.get_json(force=True)["advance"]))
        return Response.for_json({"now": clock.shared().now().isoformat()})

    terraform_calls: set[tuple[str, str]] = set()

    def record(_chain: object, context: RequestContext, _response: object) -> None:
        if context.service and context.operation and "Terraform/" in context.request.headers.get("User-Agent", ""):
            terraform_calls.add((context.account_id, f"{context.service.service_name}:{context.operation.name}"))

    def list_calls(_request: Request) -> Response:
        return Response.for_json({"calls": sorted(terraform_calls.copy())})

    handlers.serve_custom_service_request_handlers.append(record)
    ROUTER.add("/_local_aws", status, methods=["GET"])
    ROUTER.add("/_local_aws/terraform-calls", list_calls, methods=["GET"])
    ROUTER.add("/_local_aws/clock", tell_time, methods=["GET", "PUT"])
    ROUTER.add("/_local_aws/functions", executor.function_processes, methods=["GET"])
    ecr.shared().add_control_api(ROUTER)
    runtime.run()
    return int(runtime.exit_code)


if __name__ == "__main__":
    sys.exit(main())
