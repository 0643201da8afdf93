"""Labelled texts from files, and none of them in two parts."""

import gzip

import numpy as np
import pytest

from clickwise.errors import ConfigurationError
from tests.unit.training.tuning import headlines
from training.tune.labelled import Labelled, read_labelled, read_texts, split_off, without
from training.tune.parts import parts_of


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def labelled(*texts):
    return Labelled(texts, np.arange(len(texts)) % 2, ("a", "b"))


def test_tab_separated_and_json_lines_say_the_same(tmp_path):
    tsv = write(tmp_path / "a.tsv", "a b\tsport\n\u4e2d\u6587\tmoney\n")
    lines = write(
        tmp_path / "a.jsonl",
        '{"text": "a b", "label": "sport"}\n{"text": "\u4e2d\u6587", "label": "money"}\n',
    )

    one, two = read_labelled(tsv), read_labelled(lines)

    assert one.texts == two.texts == ("a b", "\u4e2d\u6587")
    assert one.classes == two.classes == ("money", "sport")
    assert one.labels_N.tolist() == two.labels_N.tolist() == [1, 0]


def test_numbers_are_in_the_order_of_their_value_and_files_may_be_compressed(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"x\t10\ny\t9\nz\t2\n"))

    assert read_labelled(path).classes == ("2", "9", "10")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.tsv", "no tab here\n", "line 1: expected text<TAB>label"),
        ("a.tsv", "a\tx\n\ty\n", "line 2: text or label is empty"),
        ("a.tsv", "", "has no text"),
        ("a.tsv", "a\tx\nb\tx\n", "one class only"),
        ("a.jsonl", '{"text": "a"}\n', "line 1"),
        ("a.gz", "not compressed", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(tmp_path, name, content, told):
    path = write(tmp_path / name, content)

    with pytest.raises(ConfigurationError, match=told) as fault:
        read_labelled(path)

    assert "\n" not in str(fault.value)


def test_a_class_that_nothing_is_learned_about_is_refused(tmp_path):
    path = write(tmp_path / "a.tsv", "a\tsport\nb\tweather\n")

    with pytest.raises(ConfigurationError, match="weather"):
        read_labelled(path, classes=("sport", "money"))


def test_texts_without_labels_are_read_from_any_form(tmp_path):
    plain = write(tmp_path / "a.txt", "one\n\ntwo\tlabel\n")

    assert read_texts(plain) == ("one", "two")


def test_a_text_of_the_test_part_is_not_learned_whatever_its_case_width_and_spaces():
    train = labelled("Team  wins", "\uff22ank", "rain", "film")
    test = labelled("team wins", "bank", "other")

    kept, leaked = without(train, [test])

    assert kept.texts == ("rain", "film")
    assert leaked == 2


def test_no_text_is_in_two_parts_and_what_was_taken_out_is_counted():
    train, test = headlines(60), headlines(20, seed=1)
    twice = Labelled(
        (*train.texts, *test.texts[:3], train.texts[0]),
        np.concatenate([train.labels_N, test.labels_N[:3], train.labels_N[:1]]),
        train.classes,
    )

    parts = parts_of(twice, test, None, held=10, seed=1)

    assert not set(parts.train.texts) & (set(parts.dev.texts) | set(parts.test.texts))
    assert not set(parts.dev.texts) & set(parts.test.texts)
    assert parts.leaked >= 3
    assert len(parts.test) == 20


def test_texts_of_the_test_part_leave_a_dev_part_that_is_given_too():
    train, test = headlines(60), headlines(20, seed=1)
    dev = Labelled(
        (*headlines(10, seed=2).texts, *test.texts[:4]),
        np.concatenate([headlines(10, seed=2).labels_N, test.labels_N[:4]]),
        train.classes,
    )

    parts = parts_of(train, test, dev, held=0, seed=1)

    assert not set(parts.dev.texts) & set(parts.test.texts)
    assert (parts.leaked, len(parts.dev), len(parts.test)) == (4, 10, 20)


def test_what_is_held_back_has_each_class_in_proportion():
    train, dev = split_off(headlines(100), 20, seed=5)

    assert np.bincount(dev.labels_N).tolist() == [10, 10]
    assert len(train) == 80
    assert split_off(headlines(100), 20, seed=5)[1].texts == dev.texts
    assert split_off(headlines(100), 20, seed=6)[1].texts != dev.texts


def test_nothing_left_to_learn_is_refused():
    data = headlines(10)

    with pytest.raises(ConfigurationError, match="every text"):
        parts_of(data, data, headlines(4, seed=2), held=0, seed=1)
