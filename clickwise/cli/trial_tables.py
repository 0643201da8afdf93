"""Tables of drafts that were tried: what is accepted, what they cost, how near they come."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from clickwise.bench.report import percentiles
from clickwise.cli.output import print_table
from clickwise.writing.trial import Tried


def print_drafts(drafts: Iterable[Tried]) -> None:
    """Each draft with its verdict."""
    print_table(
        ("item", "field", "try", "verdict", "detail", "text"),
        [
            (
                one.item, one.field, str(one.attempt), one.reason or "accepted", one.detail,
                " / ".join(one.text.splitlines()),
            )
            for one in drafts
        ],
    )  # fmt: skip


def print_figures(drafts: Sequence[Tried]) -> None:
    """Two tables: by field and language, and figures over all."""
    places = sorted({(one.field, one.language) for one in drafts})
    print_table(
        ("field", "language", "texts", "accepted", "share", "drafts", "refused"),
        [
            _row(
                (field, language),
                [one for one in drafts if (one.field, one.language) == (field, language)],
            )
            for field, language in places
        ],
    )
    print_table(("figure", "value"), figures(drafts) if drafts else [("drafts", "0")])


def figures(drafts: Sequence[Tried]) -> list[tuple[str, str]]:
    """Of at least one draft, (name, value)."""
    accepted = [one for one in drafts if one.accepted]
    titles = [one for one in drafts if one.rouge_1 is not None]
    good = [one for one in titles if one.accepted]
    wrong = [one for one in accepted if one.numbers or one.names]
    refused_wrong = [one for one in drafts if not one.accepted and (one.numbers or one.names)]
    seconds = percentiles([one.seconds for one in drafts])
    tokens = percentiles([float(one.prompt_tokens + one.completion_tokens) for one in drafts])
    written = percentiles([float(one.completion_tokens) for one in drafts])
    return [
        ("model, gate, shown to the model", ", ".join(_made_by(drafts))),
        ("drafts, accepted", f"{len(drafts)}, {_share(len(accepted), len(drafts))}"),
        ("seconds a draft, p50, p99", f"{seconds.p50:.2f}, {seconds.p99:.2f}"),
        ("tokens a draft, p50, p99", f"{tokens.p50:.0f}, {tokens.p99:.0f}"),
        ("of them written, p50, p99", f"{written.p50:.0f}, {written.p99:.0f}"),
        ("ROUGE-1, ROUGE-L of accepted titles", _rouges(good)),
        ("ROUGE-1, ROUGE-L of all titles", _rouges(titles)),
        ("accepted with a number or name not found", _share(len(wrong), len(accepted))),
        (
            "refused with a number or name not found",
            _share(len(refused_wrong), len(drafts) - len(accepted)),
        ),
        (
            "accepted, first word of a sentence not found",
            _share(sum(bool(one.openings) for one in accepted), len(accepted)),
        ),
    ]


def _row(place: tuple[str, str], drafts: Sequence[Tried]) -> tuple[str, ...]:
    texts = len({(one.item, one.recipe) for one in drafts})
    accepted = sum(one.accepted for one in drafts)
    refused = Counter(one.reason for one in drafts if not one.accepted)
    return (
        *place,
        str(texts),
        str(accepted),
        f"{accepted / texts:.3f}",
        str(len(drafts)),
        ", ".join(f"{reason} {count}" for reason, count in refused.most_common()),
    )


def _made_by(drafts: Sequence[Tried]) -> list[str]:
    of: tuple[Callable[[Tried], str], ...] = (
        lambda one: one.model, lambda one: one.gate, lambda one: one.material,
    )  # fmt: skip
    return [name for look in of for name in sorted({look(one) for one in drafts})]


def _rouges(titles: Sequence[Tried]) -> str:
    if not titles:
        return "no titles"
    one = fmean(title.rouge_1 or 0.0 for title in titles)
    longest = fmean(title.rouge_l or 0.0 for title in titles)
    return f"{one:.3f}, {longest:.3f} ({len(titles)})"


def _share(count: int, of: int) -> str:
    return f"{count} ({count / of:.3f})" if of else "0"
