"""What the gate for text does with long items made to cost it: each part of them once."""

from collections import UserList
from collections.abc import Iterable
from dataclasses import replace
from itertools import cycle, islice, permutations
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clickwise.writing.gate import (
    Source,
    headlines,
    kinds,
    links,
    links_han,
    polarity,
    pronouns,
    roles,
)
from clickwise.writing.gate.called import called
from clickwise.writing.gate.evidence import MAX_CHARACTERS, Evidence, Stretch, evidence
from clickwise.writing.gate.reading import Sentence, Word, read
from clickwise.writing.gate.together import Part, together

DRAFT = 690  # columns: a summary may have 700
HAN = "河灯塔书医厂明月红砖窗户山铁"


class Counted(UserList):
    """Counts how often one of it is asked for."""

    asked = 0

    def __getitem__(self, at):
        self.asked += 1
        return super().__getitem__(at)


def item(words: Iterable[str], language: str) -> Evidence:
    """An item of as many of `words`, over and over, as are looked at."""
    body = "".join(islice(cycle(words), MAX_CHARACTERS))[:MAX_CHARACTERS]
    return evidence(Source("Zyx", body, language), language)


def draft(words: list[str], language: str) -> Sentence:
    """A sentence of as many of `words`, mixed, as a summary may have."""
    columns = DRAFT // 2 if language == "zh" else DRAFT
    text = "".join(Random(3).choices(words, k=columns))[:columns]
    (sentence,) = read(text, language).sentences
    return sentence


def pairs(letters: str) -> list[str]:
    return ["".join(pair) for pair in permutations(letters, 2)]


@pytest.mark.parametrize("language", ["en", "pt"])
@pytest.mark.parametrize("words", [["ab", "cd"], pairs("bcdfgjkmpq")], ids=["two", "many"])
def test_words_that_are_repeated_do_not_read_the_item_again(language, words):
    said = item((f"{word}," for word in words), language)
    counted = replace(said, stretches=Counted(said.stretches))

    finding = links.check(draft([f"{word} " for word in words], language), counted)

    assert finding is not None
    assert "apart in the item" in finding.detail
    assert len(said.stretches) > 6_000
    assert counted.stretches.asked <= len(said.stretches)


@pytest.mark.parametrize("clause", ["ab of cd, ", "ab of cd, cd of ab, "])
def test_clauses_of_the_same_words_do_not_read_the_item_again(clause):
    said = item(["ab,", "cd,"], "en")
    counted = replace(said, stretches=Counted(said.stretches))

    assert links.check(draft([clause], "en"), counted) is None
    assert counted.stretches.asked <= len(said.stretches)


@pytest.mark.parametrize("words", [["红砖", "铁窗"], pairs(HAN)], ids=["two", "many"])
def test_chinese_runs_that_are_repeated_do_not_read_the_item_again(words):
    said = item((f"门{word}，" for word in words), "zh")
    counted = replace(said, stretches=Counted(said.stretches))

    finding = links_han.check(draft(words, "zh"), counted)

    assert finding is not None
    assert "apart in the item" in finding.detail
    # To link, once; before, for each two runs that the draft has side by side.
    assert counted.stretches.asked <= 3 * len(said.stretches)


def test_chinese_clauses_of_the_same_runs_do_not_read_the_item_again():
    said = item(["门红砖，", "门铁窗，"], "zh")
    counted = replace(said, stretches=Counted(said.stretches))

    clauses = "，".join(f"{begin}红砖在铁窗" for begin in "赤橙黄绿青蓝紫黑白灰粉褐")
    (sentence,) = read(clauses, "zh").sentences

    assert links_han.check(sentence, counted) is None
    assert counted.stretches.asked <= 3 * len(said.stretches)


@pytest.mark.parametrize(("language", "city"), [("en", "city"), ("pt", "cidade")])
def test_kinds_at_names_of_a_text_do_not_read_the_item_again(language, city):
    names = [pair.capitalize() for pair in pairs("bcdfgjkmpq")]
    said = item((f"{city} {name} " for name in names), language)
    counted = replace(said, sentences=Counted(said.sentences))

    assert kinds.check(draft([f"{city} {name} " for name in names], language), counted) is None
    assert counted.sentences.asked == 0


def test_an_item_is_asked_for_names_twice_a_kind_when_it_is_prepared():
    said = item(["City Ab ", "City Cd "], "en")
    asked: list[Word] = []

    def is_name(word: Word, sentence: Sentence) -> bool:
        asked.append(word)
        return said.is_name(word, sentence)

    called(said.sentences, said.folded, said.lexicon, is_name)

    number = sum(word.folded == "city" for one in said.sentences for word in one.words)
    assert number > 2_000
    assert len(asked) <= 2 * number


EMPTY = evidence(Source("Zyx", "", "en"), "en")
PLACES = st.frozensets(st.integers(0, 5), min_size=1, max_size=3)


@given(
    sentences=st.lists(st.integers(0, 1), min_size=6, max_size=6).map(sorted),
    found=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), PLACES, PLACES), max_size=5),
)
# The clause has A, C, B and the item A, B, C: C is joined to A, which B was joined to before.
@example(
    sentences=[0] * 6,
    found=[
        (0, 0, frozenset({0}), frozenset()),
        (4, 4, frozenset({1}), frozenset({1})),
        (2, 2, frozenset({2}), frozenset({2})),
    ],
)
def test_groups_are_those_of_links_between_any_two(sentences, found):
    told = [Stretch(sentence, (), "", frozenset()) for sentence in sentences]
    parts = [
        Part(str(at), min(one, two), max(one, two), places)
        for at, (one, two, places, _) in enumerate(found)
    ]
    begun = {str(at): places & begins for at, (*_, places, begins) in enumerate(found)}
    places_of = {id(stretch): place for place, stretch in enumerate(told)}

    def carried(stretch: Stretch, here: Iterable[Part]) -> list[Part]:
        return [part for part in here if places_of[id(stretch)] in begun[part.text]]

    def linked(one: Part, two: Part) -> bool:
        return bool(one.places & two.places) or any(
            early < late and sentences[early] == sentences[late] and one.first < two.last
            for early in one.places
            for late in begun[two.text]
        )

    groups: list[set[str]] = []
    for part in parts:
        near = [
            group
            for group in groups
            if any(linked(one, part) or linked(part, one) for one in parts if one.text in group)
        ]
        groups = [group for group in groups if group not in near]
        groups.append({part.text}.union(*near))

    made = together(parts, replace(EMPTY, stretches=tuple(told)), carried)

    assert sorted(sorted(part.text for part in group) for group in made) == sorted(
        map(sorted, groups)
    )


@pytest.mark.parametrize("check", [headlines.check, pronouns.check])
def test_words_of_a_headline_in_capitals_do_not_read_the_item_again(check):
    words = [2 * pair for pair in pairs("bcdfgjkmpq")]
    said = item((f"{word} by {word} not {word}. " for word in words), "en")
    counted = replace(said, sentences=Counted(said.sentences))
    text = draft([f"{word.title()} " for word in words], "en")

    assert text.titled
    check(text, counted)
    assert counted.sentences.asked == 0


def clauses_of(clauses: list[str]) -> Sentence:
    """A sentence of as many of `clauses`, in order, as a summary may have."""
    return read(", ".join(islice(cycle(clauses), DRAFT // (len(clauses[0]) + 2))), "en").sentences[
        0
    ]


NAMES = [pair.title() for pair in pairs("bcdfgjkmpq")]


@pytest.mark.parametrize("names", [["Ab"], NAMES], ids=["one", "many"])
def test_acts_of_names_that_are_repeated_read_the_item_once(names):
    said = item((f"x {name} ran. " for name in names), "en")
    counted = replace(said, sentences=Counted(said.sentences))

    assert roles.check(clauses_of([f"{name} ran" for name in names]), counted) is None
    assert len(said.names) > len(names) / 2
    assert len(said.sentences) > 2_000
    assert counted.sentences.asked <= len(said.sentences)


def test_acts_between_two_names_that_are_repeated_read_the_item_once():
    said = item(["x Ab ran Cd. "], "en")
    counted = replace(said, sentences=Counted(said.sentences))

    assert roles.check(clauses_of(["Ab ran Cd"]), counted) is None
    assert len(said.sentences) > 1_500
    # Of Ab and Cd, of Cd and the next Ab, and of the act.
    assert counted.sentences.asked <= 3 * len(said.sentences)


def test_an_act_of_a_word_at_a_name_that_is_repeated_reads_the_item_once():
    said = item(["The baker Ab ran. "], "en")
    counted = replace(said, sentences=Counted(said.sentences))

    assert roles.check(clauses_of(["the baker ran"]), counted) is None
    assert said.stand_ins["bak"] == frozenset({"ab"})
    assert counted.sentences.asked <= len(said.sentences)


@pytest.mark.parametrize("told", ["Not ab. ", "Ab cd not. "])
def test_denials_that_are_repeated_read_the_item_once(told):
    said = item([told], "en")
    counted = replace(said, sentences=Counted(said.sentences))

    polarity.check(clauses_of(["no ab"]), counted)
    assert len(said.sentences) > 1_800
    assert counted.sentences.asked <= len(said.sentences)


def test_a_word_at_many_names_stands_for_none():
    said = item((f"baker {one.title()} ran. " for one in pairs("bcdfgjkmpq")), "en")

    assert said.stand_ins["bak"] == frozenset()
