"""Calls of the language model under their bounds: budget, deadline, retries, breaker.

The breaker hears of every failure here, and of success only from whoever has looked at the answer:
a model that answers nonsense in time is down all the same.
"""

from collections.abc import Callable, Sequence

from clickwise import metrics
from clickwise.clock import Clock
from clickwise.errors import ConfigurationError, OverloadedError, UnavailableError
from clickwise.state.text_port import Spent
from clickwise.writing.breaker import Breaker, BreakerState
from clickwise.writing.budget import Budget
from clickwise.writing.port import Completion, Message, Writer, estimated_tokens

RETRIES = 2
FIRST_PAUSE_SECONDS = 0.5

Pause = Callable[[float], bool]  # waits so many seconds; True when it is time to stop instead


class Calls:
    """Asks a writer; owned by one thread."""

    def __init__(
        self,
        writer: Writer,
        *,
        breaker: Breaker,
        budget: Budget,
        clock: Clock,
        pause: Pause,
        deadline_seconds: float,
    ) -> None:
        self.writer = writer
        self.breaker = breaker
        self.failures = 0  # of calls, so far
        self._budget = budget
        self._clock = clock
        self._pause = pause
        self._deadline_seconds = deadline_seconds

    @property
    def may_spend(self) -> bool:
        """Whether there is a budget at all, spent or not."""
        return self._budget.tokens_per_day > 0

    def ask(
        self, messages: Sequence[Message], *, max_tokens: int, temperature: float
    ) -> Completion:
        """The model's answer, tried again a little later when there was none.

        While the breaker is half-open there is one try.

        Raises:
            OverloadedError: the day's tokens do not suffice.
            UnavailableError: no answer, the breaker knows.
            ConfigurationError: the endpoint refuses such calls, the breaker knows.
        """
        expected = sum(estimated_tokens(message.content) for message in messages)
        pause_seconds = FIRST_PAUSE_SECONDS
        for tries_left in range(RETRIES, -1, -1):
            if self._budget.left() < expected + max_tokens:
                raise OverloadedError("the language model's tokens of today are spent")
            probing = self.breaker.state is BreakerState.HALF_OPEN
            try:
                return self._asked(messages, max_tokens, temperature, expected)
            except UnavailableError:
                self._failed("unavailable")
                closed = self.breaker.state is BreakerState.CLOSED
                if probing or not closed or not tries_left or self._pause(pause_seconds):
                    raise
                pause_seconds *= 2.0
            except ConfigurationError:
                self._failed("refused")
                raise
        raise AssertionError("the last try returns or raises")

    def made_nonsense(self) -> None:
        """The answer was none: as good as no answer."""
        self._failed("nonsense")

    def made_sense(self) -> None:
        """The answer was about what was asked."""
        self.breaker.succeeded()
        metrics.text_breaker.set(self.breaker.state)

    def _failed(self, kind: str) -> None:
        self.failures += 1
        self.breaker.failed()
        metrics.text_failures.labels(kind).inc()
        metrics.text_breaker.set(self.breaker.state)

    def _asked(
        self, messages: Sequence[Message], max_tokens: int, temperature: float, expected: int
    ) -> Completion:
        started = self._clock.monotonic()
        try:
            answer = self.writer.complete(
                messages,
                max_tokens=max_tokens,
                temperature=temperature,
                deadline_seconds=self._deadline_seconds,
            )
        except UnavailableError:
            seconds = self._clock.monotonic() - started
            metrics.text_seconds.labels("failed").observe(seconds)
            if seconds >= self._deadline_seconds / 2:  # it may have worked, and want to be paid
                self._budget.spend(Spent(prompt=expected))
            raise
        metrics.text_seconds.labels("answered").observe(self._clock.monotonic() - started)
        self._budget.spend(Spent(answer.prompt_tokens, answer.completion_tokens))
        return answer
