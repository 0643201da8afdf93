"""What readers are after: the main topics of a sample of profiles."""

from clickwise.errors import BundleError
from clickwise.profile import from_stored
from clickwise.state.port import State
from clickwise.types import UserId
from clickwise.writing.segments import EVERYBODY, Shares, main_topic

SAMPLE = 2_000


def shares_of(state: State, *, after: str = "", sample: int = SAMPLE) -> tuple[Shares, str]:
    """Shares of main topics in the profiles of up to `sample` users that follow `after` in order,
    and the last of them (empty: there are no more).

    Raises:
        UnavailableError: the database does not answer.
    """
    counts: dict[int, int] = {}
    readers = 0
    users = state.users(after=after, limit=sample)
    for user in users:
        topic = _main_topic_of(state, user)
        if topic is not None:
            readers += 1
            counts[topic] = counts.get(topic, 0) + 1
    counts.pop(EVERYBODY, None)
    shares = Shares({code: count / readers for code, count in counts.items()}, readers)
    return shares, users[-1] if len(users) == sample else ""


def _main_topic_of(state: State, user: UserId) -> int | None:
    stored, _ = state.profile(user)
    if stored is None:
        return None
    try:
        profile, _ = from_stored(stored.body)
    except BundleError:
        return None  # another format: whoever serves it says so
    return main_topic(profile.topic_weights)
