"""A data set's sheet, computed."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
import numpy as np

from clickwise.types import EVENT_CODES, EVENT_TYPES
from clickwise.vectors.port import Int64Array
from training.data import Dataset
from training.prepare.drift import Drift, drift_since
from training.prepare.quiet import quiet_days
from training.prepare.remarks import remarks
from training.prepare.sheet import DataSheet, HistoryLengths, Intake

POPULAR = 1_000
HISTORY_BOUNDS = (1, 2, 3, 5, 10, 20, 50, 100, 200)


def data_sheet(
    dataset: Dataset, intake: Intake, *, now: datetime, last: DataSheet | None = None
) -> DataSheet:
    """The sheet of a data set, drift against the `last` one where both know times."""
    log, items = dataset.log, dataset.items
    number = len(log)
    timed = dataset.timed and number > 0
    of_item = np.bincount(log.items_N, minlength=len(items))
    liked = np.bincount(log.items_N[log.weights_N > 0.0], minlength=len(items))
    ranked = np.argsort(-liked, kind="stable")
    popular = {items.ids[i]: int(liked[i]) for i in ranked[:POPULAR].tolist() if liked[i]}
    head = liked[ranked[: max(1, len(items) // 100)]].sum()
    of_user = np.bincount(log.users_N, minlength=len(dataset.user_ids))
    unknown = np.array([item in intake.unknown for item in items.ids], bool)
    types = np.bincount(log.types_N, minlength=len(EVENT_TYPES)).tolist()
    sheet = DataSheet(
        name=dataset.name,
        made=now,
        first=_moment(log.times_N[0]) if timed else None,
        last=_moment(log.times_N[-1]) if timed else None,
        events=number,
        positive=int((log.weights_N > 0.0).sum()),
        negative=int((log.weights_N < 0.0).sum()),
        duplicates=intake.duplicates,
        refused=intake.refused,
        lost=intake.lost,
        users=int((of_user > 0).sum()),
        items=len(items),
        items_with_events=int((of_item > 0).sum()),
        items_unknown=len(intake.unknown),
        items_without_text=sum(not text for text in items.texts),
        items_with_vector=0 if items.text_ID is None else int(items.text_ID.any(axis=1).sum()),
        events_on_unknown_share=_share(of_item[unknown].sum(), number),
        events_on_popular_share=_share(head, liked.sum()),
        largest_user_share=_share(of_user.max(initial=0), number),
        event_types={kind: count for kind, count in zip(EVENT_TYPES, types, strict=True) if count},
        history_lengths=_history_lengths(of_user[of_user > 0].tolist()),
        languages=_counted(items.languages),
        kinds=_counted(items.kinds),
        quiet=quiet_days(log.times_N) if timed else (),
        popular=popular,
        others=int(liked.sum()) - sum(popular.values()),
        drift=_drift(dataset, last) if timed and last is not None else None,
    )
    return msgspec.structs.replace(sheet, warnings=remarks(sheet))


def _drift(dataset: Dataset, last: DataSheet) -> Drift | None:
    if last.last is None:
        return None
    return drift_since(
        dataset,
        last.last.timestamp(),
        event_types={EVENT_CODES[kind]: count for kind, count in last.event_types.items()},
        popular=last.popular,
        others=last.others,
    )


def _history_lengths(events_of_users: Int64Array) -> tuple[HistoryLengths, ...]:
    classes = np.searchsorted(HISTORY_BOUNDS, events_of_users, side="right") - 1
    number = len(HISTORY_BOUNDS)
    users = np.bincount(classes, minlength=number).tolist()
    events = np.bincount(classes, events_of_users, minlength=number).astype(int).tolist()
    return tuple(
        HistoryLengths(least=least, users=users[place], events=events[place])
        for place, least in enumerate(HISTORY_BOUNDS)
    )


def _counted(words: Iterable[str]) -> dict[str, int]:
    """How often each occurs, most often first; "" (not known) is left out."""
    return dict(Counter(word for word in words if word).most_common())


def _share(part: float, whole: float) -> float:
    return round(float(part) / float(whole), 4) if whole else 0.0


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)
