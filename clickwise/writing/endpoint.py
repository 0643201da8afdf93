"""Any OpenAI-compatible endpoint as a Writer: vLLM, llama.cpp, a hosted model.

The deadline is one for the whole call: the client's own timeouts start anew with every byte, so an
endpoint that answers a letter a second would hold it for ever. Retries are the keeper's, which
knows the budget and the breaker.
"""

import asyncio
from collections.abc import Sequence

import openai
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionMessageParam,
    ChatCompletionSystemMessageParam,
    ChatCompletionUserMessageParam,
)

from clickwise.errors import ConfigurationError, UnavailableError
from clickwise.secret import Secret
from clickwise.writing.port import Completion, Message, estimated_tokens

# The client wants a key; endpoints in one's own network mostly take none.
_NO_KEY = "none"
# Whatever the model was asked for: a longer answer is cut before anybody looks at it.
MAX_ANSWER_CHARACTERS = 8_000
_REFUSED = "the language model's endpoint refused the call"


class Endpoint:
    """See Writer. One connection pool and one event loop, owned by one thread."""

    def __init__(self, *, url: str, model: str, key: Secret) -> None:
        """`url` ends where `/chat/completions` follows, mostly in `/v1`."""
        self._url = url
        self._model = model
        self._runner = asyncio.Runner()
        self._client = openai.AsyncOpenAI(
            base_url=url, api_key=key.reveal() or _NO_KEY, max_retries=0, timeout=None
        )

    @property
    def model(self) -> str:
        """See Writer."""
        return self._model

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float,
        deadline_seconds: float,
    ) -> Completion:
        """See Writer."""
        try:
            answer = self._runner.run(
                asyncio.wait_for(
                    self._client.chat.completions.create(
                        model=self._model,
                        messages=[_turn(message) for message in messages],
                        max_tokens=max_tokens,
                        temperature=temperature,
                    ),
                    deadline_seconds,
                )
            )
        except TimeoutError as error:
            raise UnavailableError(
                f"the language model did not answer within {deadline_seconds:g} s"
            ) from error
        except openai.APIStatusError as error:
            raise _status_fault(error.status_code) from error
        except (openai.OpenAIError, ValueError) as error:  # no connection, or no JSON
            raise UnavailableError(
                f"the language model cannot be reached: {type(error).__name__}"
            ) from error
        return _completion(answer, messages, self._model)

    def close(self) -> None:
        """See Writer."""
        self._runner.run(self._client.close())
        self._runner.close()


def _turn(message: Message) -> ChatCompletionMessageParam:
    if message.role == "system":
        return ChatCompletionSystemMessageParam(role="system", content=message.content)
    return ChatCompletionUserMessageParam(role="user", content=message.content)


def _status_fault(status: int) -> UnavailableError | ConfigurationError:
    if status in (408, 409, 425, 429) or status >= 500:
        return UnavailableError(f"the language model's endpoint answered {status}")
    return ConfigurationError(
        f"{_REFUSED} ({status}): look at CLICKWISE_TEXTS_URL, CLICKWISE_TEXTS_MODEL and"
        " CLICKWISE_TEXTS_KEY"
    )


def _completion(answer: object, messages: Sequence[Message], model: str) -> Completion:
    """The answer, checked: the client builds its types without looking at what came.

    Raises:
        UnavailableError: it is not a chat completion.
    """
    choices: object = getattr(answer, "choices", None)
    first: object = choices[0] if isinstance(choices, list) and choices else None
    text: object = getattr(getattr(first, "message", None), "content", None)
    if not isinstance(answer, ChatCompletion) or not isinstance(text, str):
        raise UnavailableError("the language model's endpoint answered something else than a chat")
    text = text[:MAX_ANSWER_CHARACTERS]
    prompt = getattr(answer.usage, "prompt_tokens", None)
    completion = getattr(answer.usage, "completion_tokens", None)
    if not isinstance(prompt, int) or prompt <= 0:
        prompt = sum(estimated_tokens(message.content) for message in messages)
    if not isinstance(completion, int) or completion < 0:
        completion = estimated_tokens(text)
    unfinished = getattr(first, "finish_reason", None) == "length"
    return Completion(text, prompt, completion, model, unfinished)
