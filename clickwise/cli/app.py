"""Every command and its options. Each loads what it needs when it runs: `--help` is quick."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from clickwise.cli.exits import Exit, complain, exit_of
from clickwise.cli.key_commands import keys
from clickwise.cli.options import Home, Host, Json, Port, Url, Workers, settings_from
from clickwise.cli.text_commands import texts
from clickwise.cli.tuning_commands import tune
from clickwise.errors import ClickwiseError

app = typer.Typer(
    name="clickwise",
    help="Turns a stream of clicks into recommendations that change before the next page loads.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
topics = typer.Typer(no_args_is_help=True, help="The Kafka topics.")
events = typer.Typer(no_args_is_help=True, help="The log of events.")
index = typer.Typer(no_args_is_help=True, help="The vector index (Qdrant Edge).")
dead_letters = typer.Typer(no_args_is_help=True, help="Messages that could not be applied.")
models = typer.Typer(no_args_is_help=True, help="The models: which are in use, and since when.")
docs = typer.Typer(no_args_is_help=True, help="Generated pages of the documentation.")
app.add_typer(topics, name="topics")
app.add_typer(events, name="events")
app.add_typer(index, name="index")
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(models, name="models")
app.add_typer(texts, name="texts")
app.add_typer(keys, name="keys")
train = typer.Typer(no_args_is_help=True, help="Training: from the log to a better model.")
app.add_typer(docs, name="docs", hidden=True)
app.add_typer(train, name="train")
app.add_typer(tune, name="tune")

_FORMATS = "auto, jsonl, csv, parquet, movielens, deskdrop, mind or recbole."


# Typer carries a copy of click whose exceptions it does not name: the root of those that say
# that a command line is wrong, told from one of them.
_UsageFault = cast(
    "type[typer.BadParameter]",
    next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"),
)


def run_app(arguments: Sequence[str]) -> int:
    """Run one command line; faults become one line on standard error and an exit code."""
    command = typer.main.get_command(app)
    try:
        result = command.main(list(arguments), prog_name="clickwise", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except _UsageFault as error:
        message = error.format_message()
        if message.startswith("Usage:"):  # a group without a command: its help is the message
            typer.echo(message)
        else:
            complain(f"{message} (see clickwise --help)")
        return Exit.USAGE
    except ClickwiseError as error:
        complain(str(error))
        return exit_of(error)
    except BrokenPipeError:
        return Exit.FAILED
    return result if isinstance(result, int) else Exit.DONE


@app.command()
def up(home: Home = None, host: Host = None, port: Port = None, workers: Workers = None) -> int:
    """Run everything in one process group and one folder, with no other services."""
    from clickwise.cli.up import up as run

    return run(settings_from(home=home, host=host, port=port, workers=workers))


@app.command()
def serve(home: Home = None, host: Host = None, port: Port = None, workers: Workers = None) -> int:
    """Run the HTTP interface over Kafka and a shared database."""
    from clickwise.cli.up import serve as run

    return run(settings_from(home=home, host=host, port=port, workers=workers))


@app.command()
def stream(home: Home = None) -> int:
    """Run a stream worker: Kafka's events and items into profiles, index and lists."""
    from clickwise.cli.stream import stream as run

    return run(settings_from(home=home))


@app.command()
def migrate(
    back_to: Annotated[
        str,
        typer.Option(
            help="An older schema (0005, say), for the older version that is started next."
        ),
    ] = "",
    home: Home = None,
) -> int:
    """Bring the database's tables to this version; every process does so when it starts, too."""
    from clickwise.cli import migrating

    settings = settings_from(home=home)
    if back_to:
        return migrating.migrate_back(settings, back_to)
    return migrating.migrate(settings)


@app.command()
def backup(
    path: Annotated[Path, typer.Argument(help="Folder to make, or an empty one.")],
    json: Json = False,
    home: Home = None,
) -> int:
    """Copy an embedded site while it runs: state, log, archive, models; checked when restored."""
    from clickwise.cli.backing_up import backup as run

    return run(settings_from(home=home), path, json=json)


@app.command()
def restore(
    path: Annotated[Path, typer.Argument(help="A folder that `clickwise backup` made.")],
    receipts: Annotated[
        Path | None,
        typer.Option(help="Receipts of people who were forgotten since: a file, or a folder."),
    ] = None,
    json: Json = False,
    home: Home = None,
) -> int:
    """Make a site of a backup, in a home that is empty; people who were forgotten stay so."""
    from clickwise.cli.restoring import restore as run

    return run(settings_from(home=home), path, receipts=receipts, json=json)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Exit when all is lived.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write the figures to this file.")] = None,
    port: Port = None,
    home: Annotated[Path | None, typer.Option(help="Folder, made anew each time.")] = None,
    people: Annotated[int, typer.Option(min=0, max=20, help="People to watch closely.")] = 3,
    lanes: Annotated[int, typer.Option(min=1, max=32, help="Requests at once.")] = 2,
    events: Annotated[int, typer.Option(min=0, hidden=True, help="Live only so many.")] = 0,
    history: Annotated[int, typer.Option(min=0, hidden=True, help="And so many before.")] = 0,
) -> int:
    """Live MovieLens-100k through the HTTP interface and watch lists change."""
    from clickwise.cli.demo import DemoOptions
    from clickwise.cli.demo import demo as run

    return run(
        DemoOptions(
            once=once, json=json, port=port, home=home, people=people, lanes=lanes,
            events=events, history=history,
        )
    )  # fmt: skip


@app.command(name="import")
def import_(
    path: Annotated[Path, typer.Argument(help="A file, a known data set's folder, or ml-100k.")],
    layout: Annotated[
        str,
        typer.Option("--format", help=_FORMATS),
    ] = "auto",
    url: Annotated[str, typer.Option(help="Send to a server at this address.")] = "",
    holds: Annotated[
        str, typer.Option("--as", help="items or events, where columns do not tell.")
    ] = "",
    kind: Annotated[str, typer.Option(help="Kind of items in a table that has no kind.")] = "",
    event_type: Annotated[
        str, typer.Option("--type", help="Type of events in a table that has no type.")
    ] = "",
    mapping: Annotated[
        list[str] | None, typer.Option("--map", help="OURS=THEIRS, a column's other name.")
    ] = None,
    time: Annotated[
        str, typer.Option(help="keep, or shift-to-now: the last event happens now.")
    ] = "keep",
    limit: Annotated[int, typer.Option(min=0, help="At most so many items and events.")] = 0,
    refused: Annotated[Path, typer.Option(help="Where refused rows go.")] = Path(
        "clickwise-refused.jsonl"
    ),
    json: Json = False,
    home: Home = None,
) -> int:
    """Import items and events, in order of time; 1 if any was refused."""
    from clickwise.cli.importing import ImportOptions
    from clickwise.cli.importing import import_path as run

    return run(
        settings_from(home=home),
        ImportOptions(
            path=path, layout=layout, url=url, holds=holds, kind=kind, event_type=event_type,
            mapping=tuple(mapping or ()), time=time, limit=limit, refused=refused, json=json,
        ),
    )  # fmt: skip


@app.command()
def archive(
    once: Annotated[bool, typer.Option("--once", help="Only what is there now.")] = False,
    every: Annotated[
        float | None,
        typer.Option(
            min=0.05,
            help="Seconds between runs.",
            show_default="CLICKWISE_ARCHIVE_INTERVAL_SECONDS",
        ),
    ] = None,
    json: Json = False,
    home: Home = None,
) -> int:
    """Archive events, exposures and items as Parquet, for training; until it is stopped."""
    from clickwise.cli.archiving import archive_loop, archive_once

    settings = settings_from(home=home)
    if once:
        if every is not None:
            raise typer.BadParameter("--once and --every exclude each other")
        return archive_once(settings, json=json)
    seconds = settings.archive_interval_seconds if every is None else every
    return archive_loop(settings, every_seconds=seconds, json=json)


@app.command()
def recommend(
    user: Annotated[str, typer.Argument(help="Id of the user.")],
    limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
    explain: Annotated[bool, typer.Option("--explain", help="Also what was left out.")] = False,
    json: Json = False,
    url: Url = "",
    home: Home = None,
) -> int:
    """Show a user's list, and why each item is in it."""
    from clickwise.cli.recommending import recommend as run

    return run(settings_from(home=home), user, limit=limit, explain=explain, json=json, url=url)


@app.command()
def understand(
    path: Annotated[Path, typer.Argument(help="A file of items, or a known data set's folder.")],
    layout: Annotated[
        str,
        typer.Option("--format", help=_FORMATS),
    ] = "auto",
    texts: Annotated[bool, typer.Option("--texts", help="Only items with a body.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="Stop after so many. 0: all.")] = 0,
    json: Json = False,
    home: Home = None,
) -> int:
    """Show what is understood of items in a file: to try a taxonomy, say. Stores nothing."""
    from clickwise.cli.understanding import UnderstandOptions
    from clickwise.cli.understanding import understand as run

    options = UnderstandOptions(path=path, layout=layout, texts=texts, limit=limit, json=json)
    return run(settings_from(home=home), options)


@app.command()
def check(
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every row and file, too; changes nothing.")
    ] = False,
    json: Json = False,
    home: Home = None,
    host: Host = None,
    port: Port = None,
) -> int:
    """Look at settings, machine and services, and say what to do."""
    from clickwise.cli import checking

    look = checking.check_deep if deep else checking.check
    return look({"home": home, "host": host, "port": port}, json=json)


@app.command()
def version(json: Json = False) -> None:
    """Show the versions of Clickwise and of what it stands on."""
    from clickwise.cli.versions import show_versions

    show_versions(json=json)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def bench(context: typer.Context) -> int:
    """Measure this machine: serve, freshness, ingest, scale, swap, train."""
    from clickwise.cli.benching import bench as run

    return run(context.args)


@app.command()
def evaluate(
    dataset: Annotated[
        str, typer.Argument(help="ml-100k, ml-1m, deskdrop, serenade, or a path to import.")
    ],
    protocol: Annotated[
        str, typer.Option(help="leave-one-out, forward, lived, deskdrop, sessions or attacks.")
    ] = "",
    systems: Annotated[str, typer.Option(help="Names with commas between; all if none.")] = "",
    json: Annotated[Path | None, typer.Option(help="Write the figures to this file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page to this file.")] = None,
    png: Annotated[Path | None, typer.Option(help="Write the plots to this folder.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal figures.")] = 1,
    trials: Annotated[
        int, typer.Option(min=1, help="Configurations tried for each system; 1: the defaults.")
    ] = 1,
    data: Annotated[Path | None, typer.Option(help="Folder that has the data set.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Two epochs, wider intervals.")] = False,
    home: Home = None,
) -> int:
    """Compare systems on a data set: figures with intervals, tests, slices, plots."""
    from clickwise.cli.evaluating import EvaluateOptions
    from clickwise.cli.evaluating import evaluate as run

    return run(
        settings_from(home=home),
        EvaluateOptions(
            dataset=dataset, protocol=protocol, systems=systems, json=json, html=html, png=png,
            seed=seed, trials=trials, data=data, quick=quick,
        ),
    )  # fmt: skip


@app.command()
def forget(
    user: Annotated[str, typer.Argument(help="Id of the user.")] = "",
    receipt: Annotated[Path | None, typer.Option(help="Write the receipt to this file.")] = None,
    verify: Annotated[
        Path | None, typer.Option(help="Search again for whom this receipt is about.")
    ] = None,
    again: Annotated[
        Path | None,
        typer.Option(help="Erase once more whom this receipt, or a folder of them, is about."),
    ] = None,
    json: Json = False,
    home: Home = None,
) -> int:
    """Erase a user from every store, and give a receipt; or verify one: 1 if anything is found."""
    from clickwise.cli import people

    settings = settings_from(home=home)
    if again is not None:
        if user or receipt is not None or verify is not None:
            raise typer.BadParameter("--again takes receipts, and nothing else")
        return people.again(settings, people.receipts_in(again), json=json)
    if verify is not None:
        if user or receipt is not None:
            raise typer.BadParameter("--verify takes a receipt, and no user")
        return people.verify(settings, verify, json=json)
    if not user:
        raise typer.BadParameter("give the id of a user, or --verify or --again RECEIPT")
    return people.forget(settings, user, receipt=receipt, json=json)


@app.command()
def export(
    user: Annotated[str, typer.Argument(help="Id of the user.")],
    home: Home = None,
) -> int:
    """Print everything that is known of a user, as JSON lines."""
    from clickwise.cli.people import export as run

    return run(settings_from(home=home), user)


@app.command()
def merge(
    guest: Annotated[str, typer.Argument(help="Id that the guest's events were sent under.")],
    user: Annotated[str, typer.Argument(help="Id of the user that the guest turned out to be.")],
    json: Json = False,
    home: Home = None,
) -> int:
    """Make what a guest did, and does later, the user's."""
    from clickwise.cli.merging import merge as run

    return run(settings_from(home=home), guest, user, json=json)


@models.command("list")
def models_list(json: Json = False, home: Home = None) -> int:
    """List the models that were trained, newest first."""
    from clickwise.cli.registry import list_models

    return list_models(settings_from(home=home), json=json)


Model = Annotated[str, typer.Argument(help="A number, a version, or an alias such as live.")]


@models.command("show")
def models_show(model: Model, json: Json = False, home: Home = None) -> int:
    """Show a model's card; as JSON also its parameters and figures."""
    from clickwise.cli.registry import show_model

    return show_model(settings_from(home=home), model, json=json)


@models.command("diff")
def models_diff(first: Model, second: Model, json: Json = False, home: Home = None) -> int:
    """Show the parameters and figures in which two models differ."""
    from clickwise.cli.registry import diff_models

    return diff_models(settings_from(home=home), first, second, json=json)


Seed = Annotated[int, typer.Option(min=0, help="Equal seeds give equal models.")]
Archived = Annotated[
    str, typer.Option("--from", help="Folder or URL of an archive; this site's if none is given.")
]
NoPromote = Annotated[
    bool, typer.Option("--no-promote", help="Judge and register, but leave what is live.")
]
Boards = Annotated[Path | None, typer.Option(help="Write curves for TensorBoard to this folder.")]
Processor = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train.")]
Precision = Annotated[
    Literal["fp32", "int8", "fp16", "auto"],
    typer.Option(help="What is released; auto: int8 if it is faster and nearly as good."),
]
Epochs = Annotated[int, typer.Option(min=0, help="At most so many; 0: as many as help.")]
Size = Annotated[int, typer.Option(min=0, help="0: the default.")]


@train.command("once")
def train_once(
    archive: Archived = "",
    dataset: Annotated[
        str, typer.Option(help="A data set by name or path, instead of an archive.")
    ] = "",
    data: Annotated[Path | None, typer.Option(help="Folder that has the data set.")] = None,
    incremental: Annotated[
        bool,
        typer.Option("--incremental/--full", help="Go on from the live model with new events."),
    ] = False,
    seed: Seed = 1,
    no_promote: NoPromote = False,
    tensorboard: Boards = None,
    json: Annotated[Path | None, typer.Option(help="Write what came of it to this file.")] = None,
    device: Processor = "auto",
    precision: Precision = "fp32",
    epochs: Epochs = 0,
    dimension: Size = 0,
    width: Size = 0,
    encoder: Annotated[
        str, typer.Option(help="Another text encoder, such as a folder of `tune`; in full only.")
    ] = "",
    home: Home = None,
) -> int:
    """Train, compare with the live model on later events, and promote what is better."""
    from clickwise.cli.training import TrainCommand, once

    return once(
        settings_from(home=home),
        TrainCommand(
            dataset=dataset, data=data, archive=archive, seed=seed, promotes=not no_promote,
            kind="incremental" if incremental else "full", tensorboard=tensorboard, json=json,
            device=device, precision=precision, epochs=epochs, dimension=dimension, width=width,
            encoder=encoder,
        ),
    )  # fmt: skip


@train.command("loop")
def train_loop(
    every: Annotated[str, typer.Option(help="90s, 10m, 2h, 1d.")] = "10m",
    full_every: Annotated[str, typer.Option(help="How often from nothing.")] = "1d",
    archive: Archived = "",
    seed: Seed = 1,
    no_promote: NoPromote = False,
    device: Processor = "auto",
    precision: Precision = "fp32",
    epochs: Epochs = 0,
    home: Home = None,
) -> int:
    """Train again and again: small steps from the live model, now and then from nothing."""
    from clickwise.cli.training import TrainCommand, loop, seconds_of

    return loop(
        settings_from(home=home),
        TrainCommand(
            archive=archive, kind="auto", seed=seed, promotes=not no_promote, device=device,
            precision=precision, epochs=epochs, full_every_seconds=seconds_of(full_every),
        ),
        every_seconds=seconds_of(every),
    )  # fmt: skip


@train.command("search")
def train_search(
    trials: Annotated[int, typer.Option(min=1, help="Configurations to try.")] = 20,
    archive: Archived = "",
    dataset: Annotated[
        str, typer.Option(help="A data set by name or path, instead of an archive.")
    ] = "",
    data: Annotated[Path | None, typer.Option(help="Folder that has the data set.")] = None,
    seed: Seed = 1,
    json: Annotated[Path | None, typer.Option(help="Write all trials to this file.")] = None,
    epochs: Epochs = 0,
    device: Processor = "auto",
    home: Home = None,
) -> int:
    """Search for sizes and rates by the validation part alone; later events are not looked at."""
    from clickwise.cli.training import TrainCommand
    from clickwise.cli.training_search import search

    return search(
        settings_from(home=home),
        TrainCommand(
            archive=archive, dataset=dataset, data=data, seed=seed, json=json, epochs=epochs,
            device=device,
        ),
        trials=trials,
    )  # fmt: skip


@topics.command("create")
def topics_create(json: Json = False) -> int:
    """Create what is missing; existing topics are left as they are."""
    from clickwise.cli.topics import create

    return create(settings_from(), json=json)


@topics.command("check")
def topics_check(json: Json = False) -> int:
    """Compare the topics with what the program needs; 1 if they differ."""
    from clickwise.cli.topics import check as run

    return run(settings_from(), json=json)


@topics.command("show")
def topics_show(json: Json = False) -> int:
    """Show the table of topics; needs no Kafka."""
    from clickwise.cli.topics import show

    return show(settings_from(), json=json)


@events.command("tail")
def events_tail(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones.")] = False,
    last: Annotated[int, typer.Option("-n", min=0, help="So many of the newest.")] = 10,
    user: Annotated[str, typer.Option(help="Only this user's.")] = "",
    json: Json = False,
    home: Home = None,
) -> int:
    """Show events as they are in the log."""
    from clickwise.cli.tailing import tail

    return tail(settings_from(home=home), follow=follow, last=last, user=user, json=json)


@index.command("build")
def index_build(
    loop: Annotated[bool, typer.Option("--loop", help="Again whenever enough changed.")] = False,
    home: Home = None,
) -> int:
    """Build the next generation of the index now."""
    from clickwise.cli.indexing import build

    return build(settings_from(home=home), loop=loop)


@dead_letters.command("list")
def dead_letters_list(
    pending: Annotated[bool, typer.Option("--pending", help="Not replayed yet.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    json: Json = False,
    home: Home = None,
) -> int:
    """List dead letters, newest first."""
    from clickwise.cli.dead_letters import list_letters

    return list_letters(settings_from(home=home), pending=pending, limit=limit, json=json)


@dead_letters.command("show")
def dead_letters_show(
    letter: Annotated[int, typer.Argument(min=1)], json: Json = False, home: Home = None
) -> int:
    """Show one with its bytes."""
    from clickwise.cli.dead_letters import show_letter

    return show_letter(settings_from(home=home), letter, json=json)


@dead_letters.command("replay")
def dead_letters_replay(
    letter: Annotated[int | None, typer.Argument(min=1)] = None,
    every: Annotated[bool, typer.Option("--all", help="All that were not replayed.")] = False,
    json: Json = False,
    home: Home = None,
) -> int:
    """Put one, or all, back into their topics once the cause is mended."""
    from clickwise.cli.dead_letters import replay_letters

    return replay_letters(settings_from(home=home), letter, every=every, json=json)


Bundle = Annotated[str, typer.Argument(help="Folder of a bundle, or a version in this home.")]
BundleUrl = Annotated[
    str, typer.Option("--url", help="Where other machines find it; it is copied there.")
]
BundleEncoder = Annotated[
    str, typer.Option("--encoder", help="Text encoder that it was made for, where it is another.")
]
Share = Annotated[float, typer.Option(help="Above 0, at most 1.")]


@models.command("promote")
def models_promote(
    bundle: Bundle,
    url: BundleUrl = "",
    encoder: BundleEncoder = "",
    json: Json = False,
    home: Home = None,
) -> int:
    """Make a bundle the live model, while everything runs."""
    from clickwise.cli.models import promote

    return promote(settings_from(home=home), bundle, url=url, encoder=encoder, json=json)


@models.command("rollback")
def models_rollback(json: Json = False, home: Home = None) -> int:
    """Make the previous model live again."""
    from clickwise.cli.models import rollback

    return rollback(settings_from(home=home), json=json)


@models.command("canary")
def models_canary(
    bundle: Bundle,
    share: Share = 0.1,
    url: BundleUrl = "",
    encoder: BundleEncoder = "",
    json: Json = False,
    home: Home = None,
) -> int:
    """Give a bundle to a share of users, always the same ones."""
    from clickwise.cli.models import try_on

    return try_on(
        settings_from(home=home), "canary", bundle, share=share, url=url, encoder=encoder,
        json=json,
    )  # fmt: skip


@models.command("shadow")
def models_shadow(
    bundle: Bundle,
    share: Share = 0.1,
    url: BundleUrl = "",
    encoder: BundleEncoder = "",
    json: Json = False,
    home: Home = None,
) -> int:
    """Ask a bundle beside the live model on a share of requests, and compare; nobody sees it."""
    from clickwise.cli.models import try_on

    return try_on(
        settings_from(home=home), "shadow", bundle, share=share, url=url, encoder=encoder,
        json=json,
    )  # fmt: skip


@models.command("withdraw")
def models_withdraw(home: Home = None) -> int:
    """End every trial, and forget a candidate that did not go live."""
    from clickwise.cli.models import withdraw

    return withdraw(settings_from(home=home))


@models.command("status")
def models_status(json: Json = False, home: Home = None) -> int:
    """Show which models are in use, and how far what follows from it has come."""
    from clickwise.cli.models import status

    return status(settings_from(home=home), json=json)


@models.command("prune")
def models_prune(
    keep: Annotated[
        int, typer.Option(min=0, help="So many of the newest stay, beside those in use.")
    ] = 5,
    json: Json = False,
    home: Home = None,
) -> int:
    """Remove old bundles from the home, and the index of their vectors."""
    from clickwise.cli.models import prune

    return prune(settings_from(home=home), keep=keep, json=json)


@docs.command("write")
def docs_write(folder: Annotated[Path, typer.Argument()] = Path("docs")) -> int:
    """Write the pages that are generated from the code."""
    from clickwise.cli.documents import write

    return write(folder)


@docs.command("show")
def docs_show(name: Annotated[Literal["asyncapi", "openapi"], typer.Argument()]) -> int:
    """Print the interface as a document: topics (asyncapi) or HTTP (openapi)."""
    from clickwise.cli.documents import show

    return show(name)
