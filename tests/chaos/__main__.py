"""`python -m tests.chaos --seed 1 --minutes 60 --json report.json`: a soak, with its progress.

Ends with 0 when nothing was lost, counted twice or wrong, and with 1 when something was, or when
this machine could not make one of the faults. With `--keep` the folder with all logs stays.
"""

import argparse
import logging
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import msgspec

from tests.chaos.deployment import SESSION_SECONDS
from tests.chaos.report import markdown
from tests.chaos.run import run_in
from tests.chaos.schedule import kinds, schedule, short_kinds


def main() -> int:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left behind
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what the broker does is wanted
    folder = Path(tempfile.mkdtemp(prefix="clickwise-chaos-"))
    folder.chmod(0o755)  # PostgreSQL may run as another user
    known = (short_kinds if arguments.short else kinds)(session_seconds=SESSION_SECONDS)
    of = [kind for kind in known if not arguments.only or kind.name in arguments.only.split(",")]
    try:
        report = run_in(
            folder,
            schedule(arguments.seed, of),
            seed=arguments.seed,
            seconds=60.0 * arguments.minutes,
            per_second=arguments.per_second,
            say=lambda line: print(line, flush=True),
        )
    finally:
        if arguments.keep:
            print(f"logs: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    page = markdown(report)
    print(page)
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
        arguments.json.with_suffix(".md").write_text(page)
    for what in report.left_out:
        print(f"left out: {what}")
    return 1 if report.problems or report.left_out else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--per-second", type=float, default=40.0, help="events; half as many lists")
    parser.add_argument("--short", action="store_true", help="the kinds of the test suite's run")
    parser.add_argument("--only", default="", help="kinds of faults, comma-separated")
    parser.add_argument("--json", type=Path, help="report; a page of the same name goes beside it")
    parser.add_argument("--keep", action="store_true", help="keep the logs of the processes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
