"""Pre-training, what was clicked together, comparing, teaching and searching."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from clickwise.encoder.weights import Pooling
from tests.unit.training.tuning import QUICK, clicked, task, weights
from training.tune.base import base_for, token_ids
from training.tune.baselines import nearest, tfidf
from training.tune.compare import compare, read_rows, way
from training.tune.contrast import ContrastCourse, contrasted, pair_loss, pairs_of, without_newest
from training.tune.ensemble import averaged, lessons_from
from training.tune.mlm import Hider, MlmCourse, pretrained
from training.tune.network import TextNetwork
from training.tune.report import scores_of
from training.tune.search import best_of, searched
from training.tune.voices import Voices
from training.tune.ways import ROWS, is_row, way_named


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    return task(tmp_path_factory.mktemp("tune"))


def test_precision_recall_and_f1_of_each_class():
    labels_N, found_N = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, 0])

    scores = scores_of(labels_N, found_N, ("a", "b", "c"))

    assert scores.accuracy == pytest.approx(3 / 6)
    assert [one.precision for one in scores.classes] == pytest.approx([2 / 4, 1 / 2, 0.0])
    assert [one.recall for one in scores.classes] == pytest.approx([2 / 3, 1 / 2, 0.0])
    assert [one.support for one in scores.classes] == [3, 2, 1]
    assert scores.macro_f1 == pytest.approx(np.mean([4 / 7, 1 / 2, 0.0]))


def test_pre_training_guesses_held_back_texts_better(ready):
    learned = MlmCourse(epochs=6, head_epochs=2, rate=3e-3, head_rate=1e-2, batch=8)

    story = pretrained(
        ready.base, ready.train_rows, ready.dev_rows, learned, fixed=1, watch=lambda _: None
    )

    words = "words"
    stages = [epoch.stage for epoch in story.epochs]
    assert stages == ["head"] * 2 + ["control"] * 6 + ["encoder"] * 6
    assert story.before == story.epochs[7].held_loss  # the layer alone, for as long
    assert story.after < story.before
    assert np.array_equal(story.weights.tensors[words], ready.base.weights.tensors[words])
    name = "0.query.weight"
    assert not np.array_equal(story.weights.tensors[name], ready.base.weights.tensors[name])


def test_pieces_of_one_word_hide_together_and_the_frame_stays(tmp_path):
    own = weights(tmp_path)
    (ids,) = token_ids(own, ["qwerty team zxcvb rain"], max_tokens=32)
    base = base_for(own, [ids])
    (row,) = base.rows([ids])
    hider = Hider.of(base, MlmCourse(hidden=0.3), fixed=1)
    begins = np.flatnonzero(hider.begins_V[row[1:-1]]) + 1
    words = [set(part.tolist()) for part in np.split(np.arange(1, len(row) - 1), begins[1:] - 1)]

    for seed in range(30):
        found, chosen = hider.hide(row, np.random.default_rng(seed))

        assert found[0] == row[0]
        assert found[-1] == row[-1]
        assert len(chosen) > 0
        assert all(
            not word & set(chosen.tolist()) or word <= set(chosen.tolist()) for word in words
        )


def test_pairs_are_what_one_user_took_one_after_the_other():
    data = clicked(users=30)

    pairs_P2, counts_I = pairs_of(data)

    assert len(pairs_P2) > 0
    assert bool((pairs_P2[:, 0] != pairs_P2[:, 1]).all())
    assert counts_I.sum() == 2 * len(pairs_P2)


def test_the_newest_events_are_left_to_who_judges():
    data = clicked(users=30)

    earlier = without_newest(data, 0.1)

    assert len(earlier.log) == round(0.9 * len(data.log))
    assert earlier.log.times_N.max() < data.log.times_N[len(earlier.log) :].min()


class Fixed(torch.nn.Module):
    """Stands for an encoder: item k's vector is axis k."""

    def forward(self, input_ids, attention_mask):
        del attention_mask

        class Output:
            last_hidden_state = torch.eye(8)[input_ids]

        return Output()


def test_a_popular_second_is_less_of_a_rival():
    network = TextNetwork(Fixed(), pooling=Pooling.MEAN, dimension=8, classes=2, pad=0, dropout=0.0)
    rows = [np.array([place]) for place in range(8)]
    pairs_B2 = np.array([[1, 2], [3, 4]])
    even_I = torch.zeros(8)
    popular_I = torch.zeros(8)
    popular_I[4] = 3.0  # log of its share

    plain = float(pair_loss(network, rows, pairs_B2, even_I, 1.0))
    corrected = float(pair_loss(network, rows, pairs_B2, popular_I, 1.0))

    # All cosines are 0: evenly lost at first; then the popular one is easy to beat, hard to find.
    assert plain == pytest.approx(np.log(2))
    own = [np.log(1 + np.exp(-3.0)), np.log(1 + np.exp(3.0))]
    assert corrected == pytest.approx(np.mean(own))


def test_the_same_item_twice_in_a_batch_is_no_rival_of_itself():
    network = TextNetwork(Fixed(), pooling=Pooling.MEAN, dimension=8, classes=2, pad=0, dropout=0.0)
    rows = [np.array([place]) for place in range(8)]

    loss = pair_loss(network, rows, np.array([[1, 2], [3, 2]]), torch.zeros(8), 1.0)

    assert float(loss) == pytest.approx(0.0)


def test_what_was_clicked_together_comes_closer(tmp_path):
    data = clicked(users=40)
    course = ContrastCourse(epochs=3, batch=16, rate=1e-2, max_tokens=16, heat=0.1)

    story = contrasted(weights(tmp_path), data, course)

    assert story.losses[-1] < story.losses[0]
    assert story.num_trained > 0


def test_each_voice_counts_alike_and_a_student_hears_labels_too():
    loud, quiet = np.array([[90.0, 0.0]], np.float32), np.array([[0.0, 1.0]], np.float32)

    both = averaged([quiet, quiet, quiet])

    assert both.argmax() == 1
    assert np.allclose(np.exp(averaged([loud])).sum(), 1.0)
    taught = lessons_from(loud, np.array([[0.0, 1.0]], np.float32))
    assert np.allclose(taught.sum(axis=1), 1.0)
    assert taught[0, 1] == pytest.approx(0.5, abs=1e-3)


def test_baselines_tell_easy_classes_apart(ready):
    train, dev, test = ready.parts.train, ready.parts.dev, ready.parts.test

    by_words, number = tfidf(train.texts, train.labels_N, (dev.texts, dev.labels_N), test.texts)
    by_vectors = nearest(
        ready.train_ND, train.labels_N, (ready.dev_ND, dev.labels_N), ready.test_ND
    )

    assert number > 0
    assert (by_words.argmax(axis=1) == test.labels_N).mean() > 0.9
    assert (by_vectors == test.labels_N).mean() > 0.7


def test_rows_that_are_there_are_not_made_again(ready, tmp_path):
    file, made = tmp_path / "rows.jsonl", []

    def watch(name, epoch):
        if epoch is None:
            made.append(name)

    compare(ready, QUICK, rows=("knn", "head"), file=file, watch=watch)
    with file.open("ab") as lines:
        lines.write(b'{"name": "cut sh')  # a process that died here
    rows = compare(ready, QUICK, rows=("knn", "head", "tfidf"), file=file, watch=watch)

    assert made == ["knn", "head", "tfidf"]
    assert [row.name for row in rows] == ["knn", "head", "tfidf"]
    assert [row.name for row in read_rows(file)] == ["knn", "head", "tfidf"]


def test_rows_of_another_task_are_not_taken_for_these(ready, tmp_path):
    file, made = tmp_path / "rows.jsonl", []

    def watch(name, epoch):
        if epoch is None:
            made.append(name)

    (first,) = compare(ready, QUICK, rows=("head",), file=file, watch=watch)
    (other,) = compare(ready, replace(QUICK, seed=7), rows=("head",), file=file, watch=watch)
    (again,) = compare(ready, QUICK, rows=("head",), file=file, watch=watch)

    assert made == ["head", "head"]
    assert first.task == again.task != other.task


def test_an_ensemble_hears_its_members_and_a_student_learns_from_them(ready, tmp_path):
    rows = ("lora", "adapter", "ensemble", "distilled")

    found = compare(ready, QUICK, rows=rows, file=tmp_path / "rows.jsonl")

    by_name = {row.name: row for row in found}
    assert by_name["ensemble"].note == "lora, adapter"
    assert by_name["ensemble"].trained == by_name["lora"].trained + by_name["adapter"].trained
    assert by_name["distilled"].trained == by_name["lora"].trained


def test_an_ensemble_hears_one_way_with_several_seeds(ready, tmp_path):
    rows = ("tfidf", "lora+fgm", "lora+fgm@2", "full@2", "full", "ensemble", "ensemble+tfidf")
    file = tmp_path / "rows.jsonl"

    found = {row.name: row for row in compare(ready, QUICK, rows=rows, file=file)}

    heard = ("lora+fgm", "lora+fgm@2", "full@2")
    assert found["ensemble"].note == ", ".join(heard)
    assert found["ensemble"].trained == sum(found[name].trained for name in heard)
    assert found["ensemble+tfidf"].note == ", ".join(("tfidf", *heard))
    (folder,) = tmp_path.glob("rows.*.voices")
    kept = [Voices(folder).members([name])[name] for name in heard]
    assert not np.array_equal(kept[0].test_NC, kept[1].test_NC)  # each drew its own
    average_NC = averaged([one.test_NC for one in kept])
    right = float((average_NC.argmax(axis=1) == ready.parts.test.labels_N).mean())
    assert found["ensemble"].test.accuracy == pytest.approx(right)
    assert way("lora+fgm@2", QUICK) == replace(way("lora+fgm", QUICK), seed=2)


def test_a_row_with_a_seed_is_a_way():
    assert all(is_row(name) for name in (*ROWS, "lora@2", "lora-all@12", "lora+freelb@3"))
    assert not any(
        is_row(name) for name in ("lora@", "lora@x", "lora@-1", "@2", "knn@2", "ensemble@2", "x@2")
    )
    with pytest.raises(ValueError, match="expected a number behind @"):
        way_named("lora@x")


def test_a_search_begins_with_the_values_that_it_is_to_beat(ready):
    course = replace(QUICK, epochs=1)

    trials = searched(ready, course, trials=3)

    assert len(trials) == 3
    assert trials[0].values["rate"] == pytest.approx(course.encoder_rate)
    assert best_of(trials).quality == max(one.quality for one in trials)
    again = searched(ready, course, trials=3)
    assert [one.values for one in again] == [one.values for one in trials]
