"""`clickwise topics create|check|show`."""

from datetime import timedelta

from rich.text import Text

from clickwise.cli.audited import audited
from clickwise.cli.exits import Exit
from clickwise.cli.extras import kafka_extra
from clickwise.cli.output import console, print_json, print_table
from clickwise.errors import ConfigurationError
from clickwise.settings import Settings
from clickwise.topics import TOPICS, retention_of


def create(settings: Settings, *, json: bool) -> int:
    """Create what is missing; 1 if something could not be, or differs."""
    _need_kafka(settings)
    with kafka_extra():
        from streams import topics_admin

    with audited(settings, "topics create") as ending:
        reports = topics_admin.create_topics(settings)
        if any(report.problems for report in reports):
            ending.fault = "incomplete"
    if json:
        print_json(reports)
    else:
        print_table(
            ("topic", "partitions", "outcome", "problems"),
            [(r.name, str(r.partitions), r.outcome, "; ".join(r.problems)) for r in reports],
        )
    return Exit.FAILED if ending.fault else Exit.DONE


def check(settings: Settings, *, json: bool) -> int:
    """Compare with what is needed; 1 if anything differs."""
    _need_kafka(settings)
    with kafka_extra():
        from streams import topics_admin

    problems = topics_admin.check_topics(settings)
    if json:
        print_json({"problems": problems})
    elif problems:
        for problem in problems:
            console().print(Text(problem))
    else:
        console().print(Text("all topics are as they should be"))
    return Exit.FAILED if problems else Exit.DONE


def show(settings: Settings, *, json: bool) -> int:
    """The table of topics under this prefix."""
    rows = [
        {
            "name": topic.full_name(settings.kafka_topic_prefix),
            "key": topic.key,
            "partitions": settings.kafka_partitions,
            "replication": settings.kafka_replication,
            "kept": kept(retention_of(topic, exposure_days=settings.exposure_days)),
            "holds": topic.holds,
        }
        for topic in TOPICS
    ]
    if json:
        print_json(rows)
    else:
        print_table(tuple(rows[0]), [tuple(str(cell) for cell in row.values()) for row in rows])
    return Exit.DONE


def kept(retention: timedelta | None) -> str:
    """How long a topic keeps its messages."""
    if retention is None:
        return "newest per key"
    days = retention / timedelta(days=1)
    return f"{days:g} day{'' if days == 1 else 's'}"


def _need_kafka(settings: Settings) -> None:
    if settings.embedded:
        raise ConfigurationError("set CLICKWISE_KAFKA_BOOTSTRAP (and CLICKWISE_DATABASE_URL)")
