"""A learned bundle from a data set: the network from its events, the ranker from its requests.

The ranker is taught by what serving really gives its scorer: a network learned from the first
part is served on the next, question by question, and what the scorer was given is kept together
with the candidate that the user took next. So training and serving cannot differ. Then the
network goes on to learn from that part too, and the bundle has both.

Shape suffixes: N = candidates, D = embedding dimension.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from clickwise.bundle import Bundle, ScorerInput
from clickwise.cli.replay import ReplayedSite
from clickwise.ranking import Policy
from clickwise.settings import Settings
from clickwise.types import item_key
from training.data import Dataset
from training.evaluation.lived import LivedPlan, plan_lived

SHARE = 0.15  # of the events, that requests are taken from
MOST = 6_000  # requests: the newest
PLAIN = Policy(diversity=0.0, topic_share=1.0, exploration=0.0)


@dataclass(frozen=True, slots=True)
class Request:
    """What the scorer was given, and the row of the candidate that the user took next."""

    given: ScorerInput
    taken: int


def requests_of(
    lived: LivedPlan,
    bundle: Bundle,
    *,
    settings: Settings,
    most: int = MOST,
    progress: Callable[[float], None],
) -> list[Request]:
    """The requests of a lived part whose answer was among the candidates; at most `most`."""
    plan = lived.plan
    asked = np.flatnonzero(lived.asked_N)[-most:]
    wanted = np.zeros(len(plan.test), np.bool_)
    wanted[asked] = True
    found: list[Request] = []
    site = ReplayedSite(plan.train, bundle, settings=settings, policy=PLAIN)
    try:
        site.tell(plan.train.log)
        site.settle()
        begin = 0
        for done, row in enumerate(asked.tolist()):
            if row > begin:
                site.tell(plan.test.take(np.arange(begin, row, dtype=np.intp)))
                begin = row
            user, item = int(plan.test.users_N[row]), int(plan.test.items_N[row])
            site.ask(user, float(plan.test.times_N[row]), depth=1)
            given = site.asked()
            place = site.candidate(item_key(plan.train.items.ids[item]), given)
            if given is not None and place >= 0:
                found.append(Request(given, place))
            if done % 50 == 0:
                progress(done / len(asked))
    finally:
        site.close()
    progress(1.0)
    return found


def plan_requests(data: Dataset) -> LivedPlan:
    """The newest part of a data set as questions.

    Raises:
        ValueError: there are no times, or nothing to ask.
    """
    return plan_lived(data, share=SHARE)


def created_now() -> datetime:
    """When a bundle is made."""
    return datetime.now(UTC)


def bundles_below(settings: Settings) -> Path:
    """Where bundles of a home lie."""
    from clickwise.cli.homes import bundles_folder

    return bundles_folder(settings)
