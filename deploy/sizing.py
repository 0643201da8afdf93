"""How much of everything a site needs: from its demand and from what `clickwise bench` measured.

    clickwise bench load --json load.json
    clickwise bench ingest --json ingest.json
    clickwise bench scale --json scale.json
    python -m deploy.sizing --serve load.json --ingest ingest.json --scale scale.json \
        --requests 400 --events 6000 --events-per-day 150000000 --items 1000000 --users 2000000

The formulas are those of docs/deploy.md. Figures are of the machine that was measured: measure on
one like those that will serve. They are a start, to be corrected by what the dashboards show.
"""

import argparse
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

# Of its rate, at which a process is planned: the rest is for peaks, and for one that is away.
SHARE = 0.6
# Measured on PostgreSQL 15 with the tables' indexes: a row of `events`, and a row of `profiles` to
# its body. Twice of it, for dead rows between two vacuums.
EVENT_ROW_BYTES = 140
PROFILE_ROW_SHARE = 1.14
DEAD_ROWS = 2.0
# A vector's bytes in Qdrant to those of its numbers: the graph's links and the payload (Qdrant's
# own rule of thumb).
QDRANT_SHARE = 1.5
# Of an event in Kafka and in the archive: a guess, to be replaced by the site's own.
EVENT_MESSAGE_BYTES = 250
EVENT_ARCHIVED_BYTES = 40
BENCHES = {"serve": "bench load", "ingest": "bench ingest --kafka", "scale": "bench scale"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the benches say. `requests_per_second` of one serving worker at its knee;
    `events_per_second` of one stream worker; `profile_bytes` of a user with a full window.
    """

    requests_per_second: float
    events_per_second: float
    profile_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a site asks for: rates at its peak. `copies` of each topic and of each vector."""

    requests_per_second: float
    events_per_second: float
    events_per_day: float
    items: int
    users: int
    dimension: int = 384
    copies: int = 3
    dedupe_days: float = 8.0
    kafka_days: float = 7.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What that takes. Bytes are of all machines together."""

    serving_workers: int
    stream_workers: int
    partitions: int
    qdrant_memory_bytes: float
    database_bytes: float
    database_connections: int
    kafka_bytes: float
    archive_bytes_per_day: float


def measured_by(*, serve: bytes, ingest: bytes, scale: bytes) -> Measured:
    """The figures of three reports of `clickwise bench ... --json`; `serve`: of `load` or `serve`.

    Raises:
        ReportError: one is another report, or lacks a figure; names both.
    """
    alone = _rates_of_one_worker(_read("serve", serve, _Serving))
    rate = _read("ingest", ingest, _Ingest).stream_events_per_second
    sizes = [size.bytes_per_user for size in _read("scale", scale, _Scale).by_history]
    if not alone:
        raise ReportError(
            "serve",
            "expected knee_requests_per_second of `bench load`, or runs of one worker of"
            " `bench serve`",
        )
    if rate is None:
        raise ReportError("ingest", "stream_events_per_second is empty: run `bench ingest --kafka`")
    if not sizes:
        raise ReportError("scale", "by_history is empty: expected sizes of `bench scale`")
    return Measured(
        requests_per_second=max(alone), events_per_second=rate, profile_bytes=max(sizes)
    )


class ReportError(ValueError):
    """A report that does not say what is asked of it; `option` is how it was given."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(reason)
        self.option = option


class _Ingest(msgspec.Struct, frozen=True):
    stream_events_per_second: float | None


class _HistorySize(msgspec.Struct, frozen=True):
    bytes_per_user: float


class _Scale(msgspec.Struct, frozen=True):
    by_history: list[_HistorySize]


class _Run(msgspec.Struct, frozen=True):
    workers: int
    requests_per_second: float


class _Serving(msgspec.Struct, frozen=True):
    """What is read of either report: `bench load` has a knee, `bench serve` has runs."""

    workers: int = 1
    knee_requests_per_second: float | None = None
    runs: list[_Run] = []


def _rates_of_one_worker(report: _Serving) -> list[float]:
    if report.knee_requests_per_second is not None:
        return [report.knee_requests_per_second / report.workers]
    return [run.requests_per_second for run in report.runs if run.workers == 1]


R = TypeVar("R")


def _read(option: str, report: bytes, kind: type[R]) -> R:
    try:
        return msgspec.json.decode(report, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ReportError(option, f"{error}; expected the report of `{BENCHES[option]}`") from error


def size_of(demand: Demand, measured: Measured) -> Size:
    """The formulas."""
    serving = max(2, _count(demand.requests_per_second, measured.requests_per_second))
    stream = max(2, _count(demand.events_per_second, measured.events_per_second))
    kept_events = demand.events_per_day * demand.dedupe_days
    return Size(
        serving_workers=serving,
        stream_workers=stream,
        # Adding some later moves users to other partitions: room for twice as many workers.
        partitions=2 ** math.ceil(math.log2(2 * stream)),
        qdrant_memory_bytes=demand.items * demand.dimension * 4 * QDRANT_SHARE * demand.copies,
        database_bytes=DEAD_ROWS
        * (
            demand.users * measured.profile_bytes * PROFILE_ROW_SHARE
            + kept_events * EVENT_ROW_BYTES
            + demand.items * demand.dimension * 4
        ),
        # CLICKWISE_DATABASE_POOL_SIZE of each process: a server's workers, its builder and its
        # words; stream workers; archive, trainer and somebody's command line.
        database_connections=4 * (3 * serving + stream + 3),
        kafka_bytes=demand.events_per_day * demand.kafka_days * EVENT_MESSAGE_BYTES * demand.copies,
        archive_bytes_per_day=demand.events_per_day * EVENT_ARCHIVED_BYTES,
    )


def _count(wanted: float, each: float) -> int:
    return math.ceil(wanted / (each * SHARE))


def main() -> None:
    """Read the reports and the demand, and print the size."""
    parser = argparse.ArgumentParser(description="How much of everything a site needs.")
    for name, bench in BENCHES.items():
        parser.add_argument(f"--{name}", type=Path, required=True, help=f"`{bench}`'s report")
    for name, meaning in (("requests", "lists a second"), ("events", "events a second")):
        parser.add_argument(f"--{name}", type=float, required=True, help=f"{meaning}, at the peak")
    for name in ("events-per-day", "items", "users"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--dimension", type=int, default=384, help="of the live model's vectors")
    parser.add_argument("--copies", type=int, default=3, help="of topics and vectors")
    given = parser.parse_args()
    files: dict[str, Path] = {name: getattr(given, name) for name in BENCHES}
    try:
        measured = measured_by(**{name: file.read_bytes() for name, file in files.items()})
    except OSError as error:
        parser.error(f"{error.filename} cannot be read: {error.strerror}")
    except ReportError as error:
        parser.error(f"--{error.option} {files[error.option]}: {error}")
    demand = Demand(
        requests_per_second=given.requests, events_per_second=given.events,
        events_per_day=given.events_per_day, items=given.items, users=given.users,
        dimension=given.dimension, copies=given.copies,
    )  # fmt: skip
    for name, value in asdict(size_of(demand, measured)).items():
        if name.endswith("bytes") or "_bytes_" in name:
            print(f"{name.replace('_bytes', '')}: {value / 1e9:,.1f} GB")
        else:
            print(f"{name}: {value:,}")


if __name__ == "__main__":
    main()
