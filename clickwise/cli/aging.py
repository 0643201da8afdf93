"""What goes by age is gone: so nothing goes by a clock that another one contradicts."""

from clickwise.errors import UnavailableError
from clickwise.state.port import State

MOST_SKEW_SECONDS = 3_600.0


def check_clocks(state: State) -> None:
    """Whether this machine's clock and the database's may be believed.

    Raises:
        UnavailableError: they are so far apart that one is wrong, or the database does not answer.
    """
    if abs(skew := state.clock_skew_seconds()) > MOST_SKEW_SECONDS:
        raise UnavailableError(
            f"the database's clock differs from this machine's by {skew:.0f} s: nothing is dropped"
            " by age until they agree"
        )
