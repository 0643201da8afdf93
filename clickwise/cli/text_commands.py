"""The commands `clickwise texts ...`."""

from pathlib import Path
from typing import Annotated

import typer

from clickwise.cli.options import Home, Json, settings_from

texts = typer.Typer(
    no_args_is_help=True, help="Words written for readers: what stands, and a person's word on it."
)

ItemArgument = Annotated[str, typer.Argument(help="Id of the item.")]
FieldOption = Annotated[
    str, typer.Option("--field", help="title, summary or key_points. Missing: all.")
]
SegmentOption = Annotated[
    str,
    typer.Option(
        "--segment", help="Readers, as `texts list` names them: own:00000000. Missing: all."
    ),
]
Limit = Annotated[int, typer.Option(min=1, max=1_000, help="Rows.")]


@texts.command("list")
def list_(limit: Limit = 20, json: Json = False, home: Home = None) -> int:
    """List what is written and what a person decided, newest first."""
    from clickwise.cli.texts import list_texts

    return list_texts(settings_from(home=home), limit=limit, json=json)


@texts.command()
def show(item: ItemArgument, json: Json = False, home: Home = None) -> int:
    """Show an item's own words, what was written, decided and refused."""
    from clickwise.cli.texts import show_item

    return show_item(settings_from(home=home), item, json=json)


@texts.command()
def block(
    item: ItemArgument, field: FieldOption = "", segment: SegmentOption = "", home: Home = None
) -> int:
    """Show an item in its own words, and write none."""
    from clickwise.cli.text_decisions import block as run

    return run(settings_from(home=home), item, field=field, segment=segment)


@texts.command()
def edit(
    item: ItemArgument,
    text: Annotated[str, typer.Argument(help="The words; key points one per line.")],
    field: Annotated[str, typer.Option("--field", help="title, summary or key_points.")] = "title",
    segment: SegmentOption = "",
    home: Home = None,
) -> int:
    """Show these words as long as the item has the title that it has now."""
    from clickwise.cli.text_decisions import edit as run

    return run(settings_from(home=home), item, field=field, segment=segment, text=text)


@texts.command()
def pin(
    item: ItemArgument, field: FieldOption = "", segment: SegmentOption = "", home: Home = None
) -> int:
    """Keep what is written now, whatever becomes of the item."""
    from clickwise.cli.text_decisions import pin as run

    return run(settings_from(home=home), item, field=field, segment=segment)


@texts.command()
def unblock(
    item: ItemArgument, field: FieldOption = "", segment: SegmentOption = "", home: Home = None
) -> int:
    """Take back what was decided: block, edit or pin."""
    from clickwise.cli.text_decisions import unblock as run

    return run(settings_from(home=home), item, field=field, segment=segment)


@texts.command()
def rejections(
    item: Annotated[str, typer.Option("--item", help="Of this item alone.")] = "",
    limit: Limit = 20,
    json: Json = False,
    home: Home = None,
) -> int:
    """List what the gate refused and why, newest first."""
    from clickwise.cli.texts import rejections as run

    return run(settings_from(home=home), item=item, limit=limit, json=json)


@texts.command()
def compare(json: Json = False, home: Home = None) -> int:
    """Compare click-through of written and original titles, with intervals."""
    from clickwise.cli.text_comparison import compare_texts

    return compare_texts(settings_from(home=home), json=json)


@texts.command("try")
def try_(
    path: Annotated[Path, typer.Argument(help="A file of items, or a known data set's folder.")],
    layout: Annotated[
        str, typer.Option("--format", help="As `clickwise import` takes it.")
    ] = "auto",
    texts: Annotated[bool, typer.Option("--texts", help="Only items with a body.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="Stop after so many items. 0: all.")] = 0,
    fields: Annotated[
        str, typer.Option(help="What to write, with commas between.")
    ] = "title,summary,key_points",
    material: Annotated[
        str, typer.Option(help="What the model is shown: the item, or its body without the title.")
    ] = "item",
    readers: Annotated[
        str, typer.Option(help="As for readers of this topic, by its name. Empty: for everybody.")
    ] = "",
    json: Annotated[
        Path | None,
        typer.Option(
            "--json", help="Add a line for each draft; the same call goes on behind them."
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Also list the drafts.")] = False,
) -> int:
    """Write for items of a file, judge, and count: to try a model or a prompt. Stores nothing."""
    from clickwise.cli.trying import TryOptions, try_texts

    options = TryOptions(
        path=path,
        layout=layout,
        texts=texts,
        limit=limit,
        fields=fields,
        material=material,
        readers=readers,
        rows=json,
        show=show,
    )
    return try_texts(settings_from(), options)
