"""A data set served again, to teach a ranker.

A ranker is taught by what serving really gives its scorer: a network learned from the first part
is served on the next, question by question, and what the scorer was given is kept together with
the candidate that the user took next. So training and serving cannot differ.
"""

from collections.abc import Callable, Sequence

import numpy as np

from clickwise.bundle import Bundle
from clickwise.cli.replay import ReplayedSite
from clickwise.ranking import Policy
from clickwise.settings import Settings
from clickwise.types import item_key
from training.data import Dataset
from training.parts import lived_after
from training.ranker_fit import Request

MOST_REQUESTS = 6_000
# A question needs no variety: what matters is what the scorer is given.
PLAIN = Policy(diversity=0.0, topic_share=1.0, exploration=0.0)


def requests_after(
    bundle: Bundle,
    data: Dataset,
    begin: float,
    *,
    settings: Settings,
    most: int = MOST_REQUESTS,
    progress: Callable[[float], None] = lambda _: None,
) -> Sequence[Request]:
    """The newest `most` requests that the scorer of `bundle` is given from `begin` on, and what
    was taken next.

    Questions whose answer is not among the candidates teach nothing and are left out.
    """
    lived = lived_after(data, begin, most=10 * most)
    plan, found = lived.plan, []
    asked = np.flatnonzero(lived.asked_N)[-most:].tolist()
    site = ReplayedSite(plan.train, bundle, settings=settings, policy=PLAIN)
    try:
        site.tell(plan.train.log)
        site.settle()
        told = 0
        for done, row in enumerate(asked):
            if row > told:
                site.tell(plan.test.take(np.arange(told, row, dtype=np.intp)))
                told = row
            user, item = int(plan.test.users_N[row]), int(plan.test.items_N[row])
            site.ask(user, float(plan.test.times_N[row]), depth=1)
            given = site.asked()
            place = site.candidate(item_key(data.items.ids[item]), given)
            if given is not None and place >= 0:
                found.append(Request(given, place))
            if done % 50 == 0:
                progress(done / len(asked))
    finally:
        site.close()
    progress(1.0)
    return found
