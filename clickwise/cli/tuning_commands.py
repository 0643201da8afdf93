"""The commands `clickwise tune ...`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from clickwise.cli.options import Home, settings_from

tune = typer.Typer(
    no_args_is_help=True,
    help="Tuning the text encoder and a classifier on the site's own text.",
)

Texts = Annotated[Path, typer.Argument(help="text<TAB>label a line, or .jsonl; also .gz.")]
Test = Annotated[Path | None, typer.Option(help="Labelled texts that are only asked about.")]
Dev = Annotated[
    Path | None, typer.Option(help="Labelled texts to stop by; a tenth of TEXTS if none.")
]
Held = Annotated[int, typer.Option(min=0, help="So many of TEXTS as dev; 0: a tenth.")]
Out = Annotated[Path, typer.Option(help="Folder for the tuned encoder and the classifier.")]
Report = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")]
Method = Annotated[
    Literal["full", "head", "lora", "adalora", "adapter", "prefix"],
    typer.Option(
        help="What learns. adapter and prefix become no encoder: `classify` refuses them, `compare`"
        " has them."
    ),
]
Rank = Annotated[int, typer.Option(min=1, max=256, help="LoRA's.")]
Matrices = Annotated[
    Literal["attention", "all"], typer.Option(help="LoRA beside query and value, or all six.")
]
Augment = Annotated[
    Literal["none", "delete", "swap", "span", "cutoff", "mixup"],
    typer.Option(help="How training texts are changed each time."),
]
Optimizer = Annotated[Literal["adamw", "adafactor"], typer.Option()]
Schedule = Annotated[Literal["cosine", "linear"], typer.Option(help="How the rate falls.")]
Attack = Annotated[
    float,
    typer.Option(min=0.0, max=1.0, help="How far, in parts of the word vectors' length; 0: none."),
]
AttackSteps = Annotated[
    int, typer.Option(min=1, max=32, help="1: FGM; more: FreeLB, so many passes a batch.")
]
Rate = Annotated[float, typer.Option(min=0.0, help="0: the method's own.")]
HeadRate = Annotated[float, typer.Option(min=0.0, help="The rate of the classifier.")]
Dropout = Annotated[float, typer.Option(min=0.0, max=0.9, help="Before the classifier.")]
WeightDecay = Annotated[float, typer.Option(min=0.0, max=1.0, help="Of matrices alone.")]
Warmup = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="Share of all steps in which the rates rise.")
]
Average = Annotated[
    float,
    typer.Option(
        min=0.0, max=0.9999, help="Of the running mean of weights, a step; 0: the last weights."
    ),
]
Batch = Annotated[int, typer.Option(min=1, max=4_096, help="Texts a step.")]
Epochs = Annotated[int, typer.Option(min=1, max=1_000)]
Patience = Annotated[int, typer.Option(min=1, help="Epochs without a better dev macro F1.")]
Tokens = Annotated[int, typer.Option(min=8, max=512, help="Longer texts are cut.")]
Smoothing = Annotated[float, typer.Option(min=0.0, max=0.9, help="Label smoothing.")]
Seed = Annotated[int, typer.Option(min=0, help="Equal seeds give equal models.")]
Precision = Annotated[
    Literal["auto", "fp32", "bf16"],
    typer.Option(help="auto: bf16 where the processor multiplies it itself."),
]


@tune.command()
def classify(
    texts: Texts,
    out: Out,
    test: Test = None,
    dev: Dev = None,
    held: Held = 0,
    method: Method = "lora",
    rank: Rank = 16,
    matrices: Matrices = "attention",
    augment: Augment = "none",
    attack: Attack = 0.0,
    attack_steps: AttackSteps = 1,
    optimizer: Optimizer = "adamw",
    schedule: Schedule = "cosine",
    rate: Rate = 0.0,
    head_rate: HeadRate = 3e-4,
    dropout: Dropout = 0.2,
    weight_decay: WeightDecay = 0.01,
    smoothing: Smoothing = 0.1,
    warmup: Warmup = 0.1,
    average: Average = 0.997,
    batch: Batch = 32,
    epochs: Epochs = 4,
    patience: Patience = 3,
    tokens: Tokens = 32,
    seed: Seed = 1,
    precision: Precision = "auto",
    json: Report = None,
    home: Home = None,
) -> int:
    """Tune on labelled texts; write an encoder and a classifier that the words process opens."""
    from clickwise.cli.tuning import classify as run
    from clickwise.cli.tuning_course import TuneCommand

    return run(
        settings_from(home=home),
        TuneCommand(
            texts=texts, out=out, test=test, dev=dev, held=held, method=method, rank=rank,
            matrices=matrices, augment=augment, attack=attack, attack_steps=attack_steps,
            optimizer=optimizer, schedule=schedule, rate=rate, head_rate=head_rate,
            dropout=dropout, weight_decay=weight_decay, smoothing=smoothing, warmup=warmup,
            average=average, batch=batch, epochs=epochs, patience=patience, tokens=tokens,
            seed=seed, precision=precision, json=json,
        ),
    )  # fmt: skip


@tune.command()
def compare(
    texts: Texts,
    test: Annotated[Path, typer.Option(help="Labelled texts that are only asked about.")],
    out: Annotated[Path, typer.Option(help="Rows as JSON lines; those in it are not made again.")],
    rows: Annotated[
        str, typer.Option(help="Names with commas between; all if none. lora@2: with the seed 2.")
    ] = "",
    dev: Dev = None,
    held: Held = 0,
    rank: Rank = 16,
    matrices: Matrices = "attention",
    attack: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Of the rows that have one; 0: 0.03.")
    ] = 0.0,
    rate: Rate = 0.0,
    head_rate: HeadRate = 3e-4,
    dropout: Dropout = 0.2,
    weight_decay: WeightDecay = 0.01,
    smoothing: Smoothing = 0.1,
    warmup: Warmup = 0.1,
    average: Average = 0.997,
    batch: Batch = 32,
    epochs: Epochs = 4,
    patience: Patience = 3,
    tokens: Tokens = 32,
    seed: Seed = 1,
    precision: Precision = "auto",
    png: Annotated[Path | None, typer.Option(help="Write a picture to this file.")] = None,
    home: Home = None,
) -> int:
    """Compare the ways of tuning with each other, and with what needs none."""
    from clickwise.cli.tuning_compared import compare as run
    from clickwise.cli.tuning_course import TuneCommand

    command = TuneCommand(
        texts=texts, out=out, test=test, dev=dev, held=held, rank=rank, matrices=matrices,
        attack=attack, rate=rate, head_rate=head_rate,
        dropout=dropout, weight_decay=weight_decay, smoothing=smoothing, warmup=warmup,
        average=average, batch=batch, epochs=epochs, patience=patience, tokens=tokens,
        seed=seed, precision=precision, png=png,
    )  # fmt: skip
    return run(settings_from(home=home), command, rows=rows)


@tune.command()
def distill(
    texts: Texts,
    out: Out,
    test: Test = None,
    dev: Dev = None,
    held: Held = 0,
    teachers: Annotated[
        str, typer.Option(help="Ways, with commas between, as `tune compare` names them.")
    ] = "lora,lora+fgm,lora+span",
    rank: Rank = 16,
    matrices: Matrices = "attention",
    attack: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Of teachers with one (0: 0.03), and of the student."),
    ] = 0.0,
    rate: Rate = 0.0,
    head_rate: HeadRate = 3e-4,
    dropout: Dropout = 0.2,
    weight_decay: WeightDecay = 0.01,
    smoothing: Smoothing = 0.1,
    warmup: Warmup = 0.1,
    average: Average = 0.997,
    batch: Batch = 32,
    epochs: Epochs = 4,
    patience: Patience = 3,
    tokens: Tokens = 32,
    seed: Seed = 1,
    precision: Precision = "auto",
    json: Report = None,
    home: Home = None,
) -> int:
    """Tune several, and one that learns from all of them, which is written."""
    from clickwise.cli.tuning import distill as run
    from clickwise.cli.tuning_course import TuneCommand

    command = TuneCommand(
        texts=texts, out=out, test=test, dev=dev, held=held, rank=rank, matrices=matrices,
        attack=attack, rate=rate, head_rate=head_rate,
        dropout=dropout, weight_decay=weight_decay, smoothing=smoothing, warmup=warmup,
        average=average, batch=batch, epochs=epochs, patience=patience, tokens=tokens,
        seed=seed, precision=precision, json=json,
    )  # fmt: skip
    return run(settings_from(home=home), command, teachers=teachers)


@tune.command()
def search(
    texts: Texts,
    trials: Annotated[int, typer.Option(min=1, help="Configurations to try.")] = 20,
    dev: Dev = None,
    held: Held = 0,
    method: Method = "lora",
    epochs: Epochs = 3,
    tokens: Tokens = 32,
    seed: Seed = 1,
    precision: Precision = "auto",
    json: Report = None,
    home: Home = None,
) -> int:
    """Search for rates and regularization, by the dev part alone."""
    from clickwise.cli.tuning_compared import search as run
    from clickwise.cli.tuning_course import TuneCommand

    command = TuneCommand(
        texts=texts, dev=dev, held=held, method=method, epochs=epochs, tokens=tokens, seed=seed,
        precision=precision, json=json,
    )  # fmt: skip
    return run(settings_from(home=home), command, trials=trials)


@tune.command()
def mlm(
    texts: Annotated[Path, typer.Argument(help="A text a line, labelled or not, or .jsonl.")],
    out: Annotated[Path, typer.Option(help="Folder for the tuned encoder.")],
    epochs: Epochs = 2,
    rate: Annotated[float, typer.Option(min=0.0, help="0: 2e-05.")] = 0.0,
    anchor: Annotated[
        float, typer.Option(min=0.0, max=1_000.0, help="How firmly texts stay where they lay.")
    ] = 1.0,
    tokens: Tokens = 64,
    seed: Seed = 1,
    precision: Precision = "auto",
    json: Report = None,
    home: Home = None,
) -> int:
    """Go on with pre-training: hide pieces of the site's own texts and let the encoder guess."""
    from clickwise.cli.tuning_course import TuneCommand
    from clickwise.cli.tuning_unlabelled import mlm as run

    command = TuneCommand(
        texts=texts, out=out, epochs=epochs, rate=rate, anchor=anchor, tokens=tokens,
        seed=seed, precision=precision, json=json,
    )  # fmt: skip
    return run(settings_from(home=home), command)


@tune.command()
def contrast(
    dataset: Annotated[str, typer.Argument(help="A data set by name or path, with events.")],
    out: Annotated[Path, typer.Option(help="Folder for the tuned encoder.")],
    data: Annotated[Path | None, typer.Option(help="Folder that has the data set.")] = None,
    epochs: Epochs = 1,
    rate: Rate = 0.0,
    tokens: Tokens = 64,
    seed: Seed = 1,
    json: Report = None,
    home: Home = None,
) -> int:
    """Tune the encoder on what was clicked together."""
    from clickwise.cli.tuning_course import TuneCommand
    from clickwise.cli.tuning_unlabelled import contrast as run

    command = TuneCommand(
        texts=Path(dataset), out=out, epochs=epochs, rate=rate, tokens=tokens, seed=seed, json=json
    )
    return run(settings_from(home=home), command, dataset=dataset, data=data)
