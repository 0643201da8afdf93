"""Language, keywords, sentences, topics and near-duplicates of one text."""

import numpy as np
import pytest

from clickwise.errors import ConfigurationError
from clickwise.testing.encoder import HashingEncoder
from clickwise.understanding import duplicates, words
from clickwise.understanding.languages import language_of
from clickwise.understanding.reading import Reading
from clickwise.understanding.sentences import (
    MAX_CHARACTERS,
    _ranked,
    sentences_of,
    summary_of,
)
from clickwise.understanding.taxonomy import load_taxonomy
from clickwise.understanding.topics import NearestDescriptions, own_topics

ENGLISH = (
    "The city opened a new bridge over the river on Monday. Engineers spent four years on the"
    " bridge, which carries trams, bicycles and people on foot. Cars have to take the old bridge"
    " further down the river. The mayor said that the trams would be full by the summer."
)
PORTUGUESE = (
    "A cidade abriu uma nova ponte sobre o rio na segunda-feira. Os engenheiros passaram quatro"
    " anos na ponte, que leva bondes, bicicletas e pessoas a pé. Os carros usam a ponte antiga."
)
CHINESE = (
    "本市周一开通了一座新的大桥。工程师花了四年时间建造大桥，电车和自行车可以通过。汽车要走旧桥。"
)
JAPANESE = "新しいロボットが発表されました。カメラとセンサーで料理をするロボットです。"
KOREAN = "새로운 다리가 월요일에 개통되었다."


class TestLanguage:
    @pytest.mark.parametrize(
        ("text", "tag"),
        [
            (ENGLISH, "en"),
            (PORTUGUESE, "pt"),
            (CHINESE, "zh"),
            (JAPANESE, "ja"),
            (KOREAN, "ko"),
            ("iPhone 15 Pro Max 正式发布", "zh"),
            ("Новый мост открыли в понедельник утром", "ru"),
            ("\u202eשלום עולם, זה טקסט בעברית", "he"),
        ],
    )
    def test_it_is_told_by_script_and_words(self, text, tag):
        assert language_of(text).tag == tag

    @pytest.mark.parametrize("text", ["", "   ", "2026 - 11", "\U0001f600\U0001f680", "a"])
    def test_what_has_too_little_to_tell_has_none(self, text):
        assert language_of(text).tag == ""

    def test_the_item_knows_its_own_language_best(self):
        assert language_of(ENGLISH, given="pt-BR").tag == "pt"


class TestKeywords:
    @pytest.mark.parametrize(
        ("text", "language", "word"),
        [(ENGLISH, "en", "bridge"), (PORTUGUESE, "pt", "ponte"), (CHINESE, "zh", "大桥"),
         (JAPANESE, "ja", "ロボット")],
    )  # fmt: skip
    def test_the_word_that_a_text_is_about_is_among_the_first(self, text, language, word):
        first = [one.word for one in words.keywords_of(text, language)][:4]

        assert any(word in one for one in first)

    @pytest.mark.parametrize("text", [ENGLISH, PORTUGUESE, CHINESE, KOREAN])
    def test_they_stand_in_the_text_and_weigh_one_heaviest_first(self, text):
        found = words.keywords_of(text, language_of(text).tag)
        weights = [one.weight for one in found]

        assert found
        assert all(one.word.casefold() in text.casefold() for one in found)
        assert sum(weights) == pytest.approx(1.0, abs=0.01)
        assert weights == sorted(weights, reverse=True)

    def test_none_repeats_another(self):
        text = "The progressive web app has a service worker. A progressive web app is fast. " * 5

        found = [one.word.casefold() for one in words.keywords_of(text, "en")]

        assert "progressive web app" in found
        assert not {"progressive web", "web app", "progressive", "web", "app"} & set(found)

    def test_of_chinese_only_words_of_content_count(self):
        found = {one.word for one in words.keywords_of(CHINESE, "zh")}

        assert found >= {"大桥", "工程师"}
        assert not found & {"可以", "通过", "一座", "花"}

    def test_the_library_has_stop_words_of_every_language_that_it_is_asked_for(self):
        # Of any other it panics, which is not an Exception.
        for language in sorted(words.STOP_WORDS):
            words.keywords_of(ENGLISH, language)

    @pytest.mark.parametrize(
        ("text", "language", "phrase", "words_of_it"),
        [
            ("Police say driver fled", "pcm", "Police say driver", {"police", "driver", "fled"}),
            ("Police say driver fled", "", "Police say driver", {"police", "driver", "fled"}),
            ("O goberno di que a nova ponte vai abrir en marzo", "gl", "nova ponte vai", {"ponte"}),
            ("Vláda ví, že ten most bude v březnu otevřen", "cs", "most bude", {"most", "vláda"}),
        ],
    )
    def test_stop_words_of_a_near_language_stand_in_for_those_that_are_missing(
        self, text, language, phrase, words_of_it
    ):
        found = [one.word for one in words.keywords_of(text, language)]

        assert not any(phrase in one for one in found)
        assert words_of_it <= {part.casefold() for one in found for part in one.split()}

    @pytest.mark.parametrize("language", ["", "xx", "tlh", "en-GB"])
    def test_a_language_without_stop_words_has_keywords_too(self, language):
        assert words.keywords_of(ENGLISH, language)


class TestSummary:
    encoder = HashingEncoder(dimension=64)

    @pytest.mark.parametrize("text", [ENGLISH * 4, PORTUGUESE * 3, CHINESE * 9, JAPANESE])
    def test_it_is_sentences_of_the_item_in_its_order_and_short(self, text):
        reading = Reading("A title", text)

        summary = summary_of(reading, language_of(text).tag, self.encoder)

        places = [text.index(sentence) for sentence in summary]
        assert summary
        assert places == sorted(places)
        assert len(set(summary)) == len(summary) <= 3
        assert sum(map(len, summary)) <= MAX_CHARACTERS

    @pytest.mark.parametrize("body", ["", "Read more.", "x" * 5_000, "\U0001f600 " * 50])
    def test_without_a_fit_sentence_it_is_the_title(self, body):
        assert summary_of(Reading("A title", body), "en", self.encoder) == ("A title",)

    def test_a_sentence_like_the_title_is_found_far_down(self):
        apart_SD = np.eye(9, dtype=np.float32)

        assert _ranked(apart_SD, apart_SD[7], [100] * 9)[0] == 7

    def test_of_two_sentences_that_say_the_same_one_is_taken(self):
        vectors_SD = np.eye(6, dtype=np.float32)
        vectors_SD[1] = vectors_SD[0]

        assert not {0, 1} <= set(_ranked(vectors_SD, vectors_SD[0], [100] * 6))

    def test_otherwise_what_comes_first_is_taken(self):
        apart_SD = np.eye(9, dtype=np.float32)

        assert sorted(_ranked(apart_SD, apart_SD.mean(axis=0), [100] * 9)) == [0, 1, 2]

    def test_a_sentence_that_does_not_fit_is_passed_over(self):
        apart_SD = np.eye(3, dtype=np.float32)

        assert set(_ranked(apart_SD, apart_SD.mean(axis=0), [300, 200, 90])) == {0, 2}

    def test_sentences_are_told_apart_in_every_script(self):
        assert len(sentences_of(CHINESE, "zh")) == 3
        assert len(sentences_of(ENGLISH, "en")) == 4
        assert sentences_of("Dr. Smith came. He left.", "en") == ["Dr. Smith came.", "He left."]


TAXONOMY = """
[[topic]]
id = "money"
name = {en = "Money", zh = "金融"}
description = {en = "bank market shares stocks", zh = "银行 市场 股票"}

[[topic]]
id = "sport"
name = "Sport"
description = "football match goal league"
examples = ["Striker scores twice in the final"]

[[topic]]
id = "bare"
"""


class TestTopics:
    encoder = HashingEncoder(dimension=256)

    @pytest.fixture
    def model(self, tmp_path):
        path = tmp_path / "taxonomy.toml"
        path.write_text(TAXONOMY, encoding="utf-8")
        return NearestDescriptions(load_taxonomy(path), self.encoder)

    @pytest.mark.parametrize(
        ("text", "topic"),
        [("shares fall as the bank stocks slide", "money"),
         ("a goal in the football match", "sport"),
         ("the striker scores in the final", "sport"), ("股票市场 银行", "money")],
    )  # fmt: skip
    def test_the_nearest_description_names_the_topic(self, model, text, topic):
        found = model.weigh(text, self.encoder.encode([text])[0])

        assert found[0].topic == topic
        assert 0 < sum(one.weight for one in found) <= 1.001

    def test_equal_offsets_of_all_similarities_change_nothing(self, model):
        (vector_D,) = self.encoder.encode(["a goal in the football match"])
        # An encoder's cosines are squeezed: only differences may count.
        raised = NearestDescriptions.__new__(NearestDescriptions)
        raised._ids = model._ids
        raised._topics_TD = model._topics_TD + 0.5 * vector_D / np.dot(vector_D, vector_D)

        before, after = model.weigh("", vector_D), raised.weigh("", vector_D)

        assert [one.topic for one in before] == [one.topic for one in after]
        assert before[0].weight == pytest.approx(after[0].weight, abs=1e-3)

    def test_another_taxonomy_is_another_method(self, model, tmp_path):
        path = tmp_path / "other.toml"
        path.write_text(TAXONOMY.replace("goal", "corner"), encoding="utf-8")

        assert NearestDescriptions(load_taxonomy(path), self.encoder).version != model.version

    def test_topics_that_an_item_brings_are_its_own_main_one_first(self):
        found = own_topics(("b", "a", "b"))

        assert [(one.topic, one.weight) for one in found] == [("b", 0.6667), ("a", 0.3333)]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("topic = [", "Invalid"),
            ("", "topic"),
            ("[[topic]]\nname = 'x'", "id"),
            ("[[topic]]\nid = 'x'\nnmae = 'y'", "nmae"),
            ('[[topic]]\nid = "x"\nname = {"en\\n" = "y"}', "name"),
            ("[[topic]]\nid = 'x'\n[[topic]]\nid = 'x'", "'x' is there twice"),
        ],
    )
    def test_a_wrong_taxonomy_is_refused_with_what_is_wrong(self, tmp_path, text, message):
        path = tmp_path / "taxonomy.toml"
        path.write_text(text, encoding="utf-8")

        with pytest.raises(ConfigurationError, match=message):
            load_taxonomy(path)

    def test_a_missing_taxonomy_is_told(self, tmp_path):
        with pytest.raises(ConfigurationError, match="No such file"):
            load_taxonomy(tmp_path / "none.toml")


class TestDuplicates:
    long = " ".join(f"Sentence {n} says something about the {n * 7} bridges." for n in range(60))

    def like(self, one, other):
        signatures = duplicates.signature_of(one), duplicates.signature_of(other)
        shared = set(duplicates.bands_of(signatures[0])) & set(duplicates.bands_of(signatures[1]))
        return bool(shared), duplicates.similarity(*signatures)

    def test_a_text_with_a_few_words_changed_is_nearly_the_same(self):
        meet, alike = self.like(self.long, self.long.replace("Sentence 7 says", "Update:"))

        assert meet
        assert alike >= duplicates.LEAST_SIMILAR

    def test_case_space_and_marks_do_not_matter(self):
        _, alike = self.like(self.long, self.long.upper().replace(" ", "\n  ").replace(".", "!"))

        assert alike == 1.0

    def test_other_texts_are_not(self):
        _, alike = self.like(ENGLISH * 3, PORTUGUESE * 3)

        assert alike < 0.3

    def test_a_signature_is_the_same_in_every_process(self):
        # Stored ones are compared with those of later releases: a change needs another VERSION.
        assert duplicates.VERSION == "minhash-128-16-5+rensa-2"
        assert duplicates.signature_of(self.long)[:8].hex() == "293bcb0af9ecb704"

    @pytest.mark.parametrize("text", ["", "News", "\U0001f600" * 100, "..."])
    def test_a_text_too_short_to_tell_has_none(self, text):
        assert duplicates.signature_of(text) == b""
        assert duplicates.bands_of(b"") == ()
        assert duplicates.similarity(b"", b"") == 0.0

    def test_chinese_headlines_are_told_apart(self):
        one = "本市周一开通了一座新的大桥工程师花了四年"
        _, alike = self.like(one, "本市周二关闭了一座旧的大楼设计师用了两年")

        assert alike < 0.3
        assert self.like(one, one + "。") == (True, 1.0)
