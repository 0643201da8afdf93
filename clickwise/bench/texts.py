"""`clickwise bench texts`: what writing costs and brings, and that a page never waits for it.

Films of MovieLens-100k and its newest ratings, lived through the program's own handlers; then the
embedded model writes for what is popular, and lists are asked for as people go on. Apart from that,
on a made-up site, the latency of lists while the language model is well and while it hangs, in
turns, in one run.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress

from clickwise.bench.machine import Machine, machine
from clickwise.bench.report import Percentiles, progress, shown, table
from clickwise.bench.texts_away import Quiet, measure_quiet
from clickwise.cli.sinks import DirectSink
from clickwise.cli.wiring import Core, open_core
from clickwise.cli.writing import keeper_of, writer_of
from clickwise.codec import JsonObject
from clickwise.imports.movielens_wheel import read_movielens
from clickwise.profile import from_stored
from clickwise.recommend.answers import Answer, RecommendRequest
from clickwise.settings import Settings
from clickwise.types import UserId, topic_code
from clickwise.writing.keeper import TextKeeper
from clickwise.writing.port import Completion, Message, Writer
from clickwise.writing.segments import EVERYBODY, main_topic

LIMIT = 10
BATCH = 500
REJECTIONS = 100_000


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """Of a hosted model, in one currency, for a million tokens."""

    prompt: float
    completion: float


class TextsReport(msgspec.Struct, frozen=True, kw_only=True):
    """`ready_share`: of places in lists, those with a text ready after `seconds` of writing.

    `hit_share`: of places, those whose item and readers were asked for before: what a cache saves.
    `kept_share`: of items that came again unchanged, those whose texts cost nothing. `cost`: of
    writing for every place in one list of each of 1,000 users, at `price`: as many texts as the
    lists of `readers` had different `pairs` of item and segment, times 1,000 / `readers`.
    """

    machine: Machine
    model: str
    films: int
    events: int
    seconds: float
    calls: int
    written: dict[str, int]
    refused: dict[str, int]
    texts_per_minute: float
    accepted_share: float
    prompt_tokens: int
    completion_tokens: int
    tokens_per_second: float
    completion_tokens_per_second: float
    call_seconds_p50: float
    lists: int
    users: int
    places: int
    readers: int
    pairs: int
    ready_share: float
    hit_share: float
    kept_share: float
    price: Price
    cost_per_1000_users: float
    quiet: Quiet | None


class Counted:
    """A writer, and what was asked of it."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.calls = 0
        self.prompt = 0
        self.completion = 0
        self.seconds: list[float] = []

    @property
    def model(self) -> str:
        """See Writer."""
        return self._writer.model

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        deadline_seconds: float,
    ) -> Completion:
        """See Writer."""
        started = time.perf_counter()
        answer = self._writer.complete(
            messages,
            max_tokens=max_tokens,
            temperature=temperature,
            deadline_seconds=deadline_seconds,
        )
        self.seconds.append(time.perf_counter() - started)
        self.calls += 1
        self.prompt += answer.prompt_tokens
        self.completion += answer.completion_tokens
        return answer

    def close(self) -> None:
        """See Writer."""
        self._writer.close()


class Lived(msgspec.Struct, kw_only=True):
    """What was asked for in lists."""

    lists: int = 0
    places: int = 0
    ready: int = 0
    users: set[str] = msgspec.field(default_factory=set)
    pairs: set[tuple[str, int]] = msgspec.field(default_factory=set)


def bench_texts(
    *,
    events: int,
    lists: int,
    seconds: float,
    rounds: int,
    price: Price,
    console: Console,
) -> TextsReport:
    """Measure, and clean up.

    Args:
        events: ratings that are lived before anything is written.
        lists: ratings that are lived after it, each with its user's list before it.
        seconds: how long the model writes.
        rounds: of lists by what the model does, in turns; 0: not measured.
        price: of tokens.
        console: where progress goes.

    Raises:
        ConfigurationError: MovieLens-100k, or the embedded model, is not installed.
        LoadFailedError: an answer was wrong or missing.
    """
    facts = machine()
    with ExitStack() as stack:
        bar = stack.enter_context(progress(console))
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clickwise-bench-")))
        quiet = measure_quiet(home / "quiet", rounds=rounds, bar=bar) if rounds else None
        settings = Settings(
            home=str(home / "texts"), encoder_model="hashing:384", log_level="warning",
            texts="embedded", texts_holdout=0.0, texts_rejections=REJECTIONS,
            texts_tokens_per_day=1_000_000_000, texts_deadline_seconds=300.0,
            deadline_seconds=10.0,
        )  # fmt: skip
        data = read_movielens().shifted(datetime.now(UTC).timestamp())
        before = data.events[-(events + lists) : -lists]
        writer = Counted(writer_of(settings))
        stack.callback(writer.close)
        core = open_core(settings, stack)
        sink = DirectSink(core)
        _put(sink, data.items, bar)
        _post(sink, before, bar)
        keeper = keeper_of(settings, core.state, writer, pause=lambda _: False)
        spent = _write(keeper, seconds, bar)
        lived = _live(core, sink, data.events[-lists:], bar)
        everybody = _ask_everybody(core)
        kept = _again(core, sink, keeper, data.items)
        return _report(
            facts, core, writer, spent, lived, everybody, kept, price, quiet, len(before)
        )


def _put(sink: DirectSink, items: Sequence[JsonObject], bar: Progress) -> None:
    task = bar.add_task("films", total=len(items))
    for at in range(0, len(items), BATCH):
        sink.items(items[at : at + BATCH])
        bar.advance(task, BATCH)
    bar.remove_task(task)


def _post(sink: DirectSink, events: Sequence[JsonObject], bar: Progress) -> None:
    task = bar.add_task("ratings", total=len(events))
    for at in range(0, len(events), BATCH):
        sink.events(events[at : at + BATCH])
        bar.advance(task, BATCH)
    bar.remove_task(task)


def _write(keeper: TextKeeper, seconds: float, bar: Progress) -> float:
    """Write for about so long; how long it was."""
    task = bar.add_task("write", total=seconds)
    started = time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        bar.update(task, completed=passed)
        if keeper.step():
            break  # nothing is due any more
    bar.remove_task(task)
    return time.perf_counter() - started


def _live(core: Core, sink: DirectSink, events: Sequence[JsonObject], bar: Progress) -> Lived:
    task = bar.add_task("live", total=len(events))
    lived = Lived()
    core.shelf.refresh()
    for event in events:
        user = str(event["user"])
        _count(lived, core.recommend(RecommendRequest(user=user, limit=LIMIT)), _topic(core, user))
        sink.events([event])
        bar.advance(task)
    bar.remove_task(task)
    return lived


def _ask_everybody(core: Core) -> Lived:
    """One list of each reader with a profile, of up to 1,000."""
    lived = Lived()
    for user in core.state.users(limit=1_000):
        _count(lived, core.recommend(RecommendRequest(user=user, limit=LIMIT)), _topic(core, user))
    return lived


def _count(lived: Lived, answer: Answer, topic: int) -> None:
    lived.lists += 1
    lived.users.add(str(answer.user))
    for item in answer.items:
        lived.places += 1
        lived.ready += item.text is not None and item.text.shown == "written"
        suits = topic in [topic_code(name) for name in item.topics]
        lived.pairs.add((item.item, topic if suits else EVERYBODY))


def _topic(core: Core, user: str) -> int:
    stored, _ = core.state.profile(UserId(user))
    return main_topic(from_stored(stored.body)[0].topic_weights) if stored is not None else 0


def _again(core: Core, sink: DirectSink, keeper: TextKeeper, items: Sequence[JsonObject]) -> float:
    """Share of written items whose texts are kept when the feed sends all of them once more."""
    before = {one.key for one in core.state.texts.newest_texts(limit=REJECTIONS)}
    for at in range(0, len(items), BATCH):
        sink.items(items[at : at + BATCH])
    keeper.settle()
    after = {one.key for one in core.state.texts.newest_texts(limit=REJECTIONS)}
    return len(before & after) / max(1, len(before))


def _report(
    facts: Machine,
    core: Core,
    writer: Counted,
    seconds: float,
    lived: Lived,
    everybody: Lived,
    kept: float,
    price: Price,
    quiet: Quiet | None,
    events: int,
) -> TextsReport:
    texts = core.state.texts
    written = Counter(one.field for one in texts.newest_texts(limit=REJECTIONS))
    refused = Counter(one.reason for one in texts.rejections(limit=REJECTIONS))
    attempts = max(1, written.total() + refused.total())
    pairs_written = max(1, written.total())
    cost = (writer.prompt * price.prompt + writer.completion * price.completion) / 1e6
    scale = 1_000 / max(1, len(everybody.users))
    return TextsReport(
        machine=facts,
        model=writer.model,
        films=core.state.count_items(),
        events=events,
        seconds=round(seconds, 1),
        calls=writer.calls,
        written=dict(written),
        refused=dict(refused),
        texts_per_minute=round(written.total() / seconds * 60.0, 2),
        accepted_share=round(written.total() / attempts, 4),
        prompt_tokens=writer.prompt,
        completion_tokens=writer.completion,
        tokens_per_second=round((writer.prompt + writer.completion) / seconds, 1),
        completion_tokens_per_second=round(writer.completion / seconds, 1),
        call_seconds_p50=round(sorted(writer.seconds)[len(writer.seconds) // 2], 3)
        if writer.seconds
        else 0.0,
        lists=lived.lists,
        users=len(lived.users),
        places=lived.places,
        readers=len(everybody.users),
        pairs=len(everybody.pairs),
        ready_share=round(lived.ready / max(1, lived.places), 4),
        hit_share=round(1.0 - len(lived.pairs) / max(1, lived.places), 4),
        kept_share=round(kept, 4),
        price=price,
        cost_per_1000_users=round(cost / pairs_written * len(everybody.pairs) * scale, 4),
        quiet=quiet,
    )


def draw_texts(report: TextsReport, console: Console) -> None:
    """The report for people."""
    rows = [
        ("written", f"{sum(report.written.values())} in {report.seconds:.0f} s"),
        ("texts a minute", f"{report.texts_per_minute:.1f}"),
        ("accepted of drafts", f"{report.accepted_share:.1%}"),
        ("tokens a second", f"{report.tokens_per_second:.0f}"),
        ("of them written", f"{report.completion_tokens_per_second:.0f}"),
        ("seconds a call, p50", shown(report.call_seconds_p50)),
        ("places asked for before", f"{report.hit_share:.1%} of {report.places}"),
        ("places with a text ready", f"{report.ready_share:.1%}"),
        ("kept when sent again", f"{report.kept_share:.1%}"),
        ("cost per 1,000 users", f"{report.cost_per_1000_users:.4f}"),
    ]
    console.print(table(f"texts by {report.model}", ("", "figure"), rows))
    refused = sorted(report.refused.items(), key=lambda pair: -pair[1])
    console.print("refused: " + (", ".join(f"{why} {n}" for why, n in refused) or "none"))
    if report.quiet is not None:
        _draw_quiet(report.quiet, console)


def _draw_quiet(quiet: Quiet, console: Console) -> None:
    def row(name: str, seconds: Percentiles) -> tuple[str, ...]:
        return name, shown(seconds.p50), shown(seconds.p99), str(seconds.num_samples)

    console.print(
        table(
            "lists while the language model",
            ("", "p50", "p99", "lists"),
            [row(state, seconds) for state, seconds in quiet.seconds.items()],
        )
    )
    ratios = ", ".join(f"{state} {ratio:.2f}" for state, ratio in quiet.p99_ratios.items())
    console.print(
        f"p99 over that while it answers: {ratios}; the breaker opened each time: {quiet.opened},"
        f" and closed again: {quiet.recovered}"
    )
