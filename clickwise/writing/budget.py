"""How many tokens a day may cost. What was spent is in the database: a restart forgets nothing."""

from clickwise import metrics
from clickwise.clock import Clock
from clickwise.state.text_port import Spent, Texts


class Budget:
    """Tokens of the present UTC day."""

    def __init__(self, texts: Texts, clock: Clock, *, tokens_per_day: int) -> None:
        self._texts = texts
        self._clock = clock
        self.tokens_per_day = tokens_per_day

    def left(self) -> int:
        """Tokens that may be spent today.

        Raises:
            UnavailableError: the database does not answer.
        """
        left = max(0, self.tokens_per_day - self._texts.spent(self._day()).tokens)
        metrics.text_budget.set(left)
        return left

    def spend(self, spent: Spent) -> None:
        """Note what a call cost.

        Raises:
            UnavailableError: the database does not answer.
        """
        metrics.text_tokens.labels("prompt").inc(spent.prompt)
        metrics.text_tokens.labels("completion").inc(spent.completion)
        self._texts.spend(self._day(), spent)

    def _day(self) -> str:
        return self._clock.now().date().isoformat()
