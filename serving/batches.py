"""One or many in a body: each is parsed alone, so that a wrong one costs the others nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from starlette.responses import Response

from clickwise import codec, metrics
from clickwise.codec import JsonObject
from clickwise.doors import Verdict
from clickwise.errors import InvalidInputError, TooLargeError
from clickwise.limits import check_id
from serving.answers import JsonResponse
from serving.fields import refuse_unknown
from serving.schemas import Refusal, Result, Results


class Identified(Protocol):
    """An event or an item."""

    @property
    def id(self) -> str:
        """Its id."""
        ...


T = TypeVar("T", bound=Identified)


@dataclass(frozen=True, slots=True)
class Sorted(Generic[T]):
    """Entries of a body: the valid ones, and where each faulty one was."""

    entries: Sequence[object]
    valid: list[T]
    faults: Mapping[int, InvalidInputError]


def entries_of(data: JsonObject, field: str, *, limit: int) -> list[object]:
    """The list `field` of a body, which has nothing else.

    Raises:
        InvalidInputError: missing, not a list, or something beside it.
        TooLargeError: more than `limit` entries.
    """
    if field not in data:
        raise InvalidInputError("required field is missing", field=field)
    refuse_unknown(data, (field,))
    entries = data[field]
    if not isinstance(entries, list):
        raise InvalidInputError(f"expected a list, got {type(entries).__name__}", field=field)
    if len(entries) > limit:
        raise TooLargeError(f"expected at most {limit}, got {len(entries)}", field=field)
    return entries


def sort_out(
    entries: Sequence[object], parse: Callable[[JsonObject], tuple[T, int]], *, message: str
) -> Sorted[T]:
    """Parse each entry; unknown fields are counted under `message`."""
    valid: list[T] = []
    faults: dict[int, InvalidInputError] = {}
    unknown = 0
    for index, entry in enumerate(entries):
        try:
            if not isinstance(entry, dict):
                raise InvalidInputError(f"expected a JSON object, got {type(entry).__name__}")  # noqa: TRY301  # told like any other fault
            parsed, more = parse(entry)
        except InvalidInputError as error:
            faults[index] = error
        else:
            valid.append(parsed)
            unknown += more
    if unknown:
        metrics.unknown_fields.labels(message).inc(unknown)
    return Sorted(entries=entries, valid=valid, faults=faults)


def results_of(
    sorted_out: Sorted[T], verdicts: Sequence[Verdict | InvalidInputError]
) -> tuple[Result, ...]:
    """A result for each entry, in order; `verdicts` are those of the valid ones, or faults that
    their door found.
    """
    taken = iter(zip(sorted_out.valid, verdicts, strict=True))
    results = []
    for index, entry in enumerate(sorted_out.entries):
        fault = sorted_out.faults.get(index)
        if fault is not None:
            results.append(_refused(_id_in(entry), fault))
            continue
        valid, verdict = next(taken)
        if isinstance(verdict, InvalidInputError):
            results.append(_refused(valid.id, verdict))
        else:
            results.append(Result(id=valid.id, verdict=verdict))
    return tuple(results)


def _refused(name: str | None, fault: InvalidInputError) -> Result:
    return Result(id=name, verdict=Verdict.REFUSED, reason=fault.reason, field=fault.field or None)


def respond(results: tuple[Result, ...], request_id: str) -> Response:
    """200 when all is done, 202 when some of it waits in the log, 422 when nothing was taken."""
    refused = [result for result in results if result.verdict is Verdict.REFUSED]
    if results and len(refused) == len(results):
        first = refused[0]
        refusal = Refusal(
            error=InvalidInputError.kind,
            message=first.reason or "refused",
            field=first.field,
            request_id=request_id,
            results=results,
        )
        return JsonResponse(codec.encode(refusal), status_code=InvalidInputError.status)
    return JsonResponse(codec.encode(Results(results=results)), status_code=status_of(results))


def status_of(results: Sequence[Result]) -> int:
    """202 if anything waits in the log, else 200."""
    return 202 if any(result.verdict is Verdict.ACCEPTED for result in results) else 200


def _id_in(entry: object) -> str | None:
    try:
        return check_id(entry.get("id") if isinstance(entry, dict) else None, "id")
    except InvalidInputError:
        return None
