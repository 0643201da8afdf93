"""A broker and a database to try Clickwise with, of what `make services` installed: no containers.

    python -m clickwise.testing.borrowed      # says what to export, and runs until Ctrl-C

Both are new, on free ports of loopback, ask for no password, and are thrown away in the end.
"""

import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from clickwise.testing.kafka import KafkaMissingError, KafkaServer
from clickwise.testing.postgres import PostgresMissingError, PostgresServer


def main(ended: threading.Event) -> int:
    """Run both until `ended` is set; 1 where something is not installed."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(TemporaryDirectory(prefix="clickwise-kafka-"))
            broker = stack.enter_context(KafkaServer(Path(folder)))
            database = stack.enter_context(PostgresServer()).create_database("clickwise")
        except (KafkaMissingError, PostgresMissingError) as error:
            print(" ".join(str(error).split()), file=sys.stderr)
            return 1
        print(f"export CLICKWISE_KAFKA_BOOTSTRAP={broker.bootstrap}")
        print(f"export CLICKWISE_DATABASE_URL={database}", flush=True)
        print("both run until Ctrl-C, and nothing of them is kept", file=sys.stderr, flush=True)
        ended.wait()
    return 0


if __name__ == "__main__":
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    sys.exit(main(asked))
