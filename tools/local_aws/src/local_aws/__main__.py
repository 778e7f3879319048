"""Command line: run a local AWS in the foreground, or start and stop one in the background."""

import argparse
import json
import signal
import sys
from pathlib import Path

from local_aws.launcher import LocalAws, LocalAwsError, client_environment


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local_aws", description="A local AWS for development.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run until Ctrl-C")
    run.add_argument("--log", type=Path, help="file for the log of LocalStack")
    start = commands.add_parser("start", help="start in the background and print the state file")
    start.add_argument("state_dir", type=Path)
    stop = commands.add_parser("stop", help="stop the local AWS of a state file")
    stop.add_argument("state_file", type=Path)
    for command in (run, start):
        command.add_argument("--python", type=Path, required=True, help="interpreter with the local-aws lock")
        command.add_argument("--functions-python", type=Path, required=True, help="interpreter with the functions lock")
    options = parser.parse_args(arguments)
    try:
        if options.command == "run":
            _run(LocalAws(options.python, options.functions_python, log=options.log))
        elif options.command == "start":
            state_file = LocalAws.start_detached(options.python, options.functions_python, options.state_dir)
            _print_usage(json.loads(state_file.read_text())["endpoint"])
            print(f"\n# Stop it with: python -m local_aws stop {state_file}")
        else:
            LocalAws.stop_detached(options.state_file)
    except LocalAwsError as error:
        print(f"local_aws: {error}", file=sys.stderr)
        return 1
    return 0


def _run(local_aws: LocalAws) -> None:
    # The default action of SIGTERM skips the end of the `with` block.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with local_aws:
            _print_usage(local_aws.endpoint)
            print("\n# Stop it with Ctrl-C.", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        return


def _print_usage(endpoint: str) -> None:
    print("# The local AWS is running. To use it with Terraform, boto3 or the AWS CLI:")
    print("unset AWS_PROFILE AWS_SESSION_TOKEN AWS_CA_BUNDLE")
    for name, value in client_environment(endpoint).items():
        print(f"export {name}={value}")


if __name__ == "__main__":
    sys.exit(main())
