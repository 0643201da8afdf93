"""Seconds per epoch of three systems: what is compared, and what is reported. No time is judged."""

import json

import numpy as np
import pytest
import torch

from clickwise.cli.app import run_app
from clickwise.cli.exits import Exit
from training.evaluation.leave_one_out import plan_leave_one_out
from training.made_up import Shape, sequences
from training.speed import Measuring, measure
from training.speed_quality import qualities
from training.speed_systems import GRU4REC, OURS, SASREC, Corpus, Sizes, baseline, ours

from .networks import two_tastes

SIZES = Sizes(length=16, width=8, layers=2, batch=8)
TINY = Shape(histories=60, items=40, shortest=3, longest=60)
SYSTEMS = [(name, loss) for loss in ("full", "sampled") for name in (OURS, SASREC, GRU4REC)]


def corpus(*, seed=1):
    return Corpus(sequences(TINY, seed=seed), TINY.items)


def silent(what, share):
    del what, share


def measured(**changes):
    asked = {"sizes": SIZES, "sampled": 8, "steps": 2, "warmup": 1, "rounds": 3, "device": "cpu"}
    return measure(corpus(), Measuring(**{**asked, **changes}), progress=silent)


def drills(*, sampled=0):
    given = {"sampled": sampled, "device": "cpu", "seed": 1}
    return {
        OURS: ours(corpus(), SIZES, **given),
        **{name: baseline(name, corpus(), SIZES, **given) for name in (SASREC, GRU4REC)},
    }


class TestMadeUpData:
    def test_its_shape_is_that_of_movielens_1m(self):
        made = sequences(Shape(), seed=1)

        lengths = np.array([len(one) for one in made])
        assert len(made) == 6_040
        assert lengths.min() == 20
        assert lengths.max() <= 2_000
        assert 900_000 < lengths.sum() < 1_100_000
        assert 80 < np.median(lengths) < 110
        assert max(one.max() for one in made) < 3_416

    def test_equal_seeds_give_equal_histories(self):
        first, same, other = (sequences(TINY, seed=seed) for seed in (3, 3, 4))

        assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
        assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))

    def test_few_items_are_met_most(self):
        counts = np.bincount(np.concatenate(sequences(Shape(histories=500), seed=1)))

        assert np.sort(counts)[::-1][:342].sum() > 0.35 * counts.sum()


class TestWhatIsCompared:
    def test_an_epoch_teaches_all_of_them_every_next_item_once(self):
        targets = sum(len(one) - 1 for one in corpus().sequences)

        for drill in drills().values():
            assert drill.targets_per_step * drill.steps_per_epoch == pytest.approx(targets)

    def test_their_steps_have_the_same_number_of_targets_but_for_whole_rows(self):
        found = drills()

        assert found[SASREC].targets_per_step == found[GRU4REC].targets_per_step
        assert found[OURS].targets_per_step == pytest.approx(
            found[SASREC].targets_per_step, rel=0.2
        )

    def test_ours_reads_less_padding(self):
        found = drills()

        assert 0.0 < found[SASREC].real_share < found[OURS].real_share <= 1.0

    @pytest.mark.parametrize("sampled", [0, 8])
    def test_a_step_can_be_repeated_beyond_an_epoch(self, sampled):
        for drill in drills(sampled=sampled).values():
            for _ in range(int(drill.steps_per_epoch) + 2):
                drill.step()

    @pytest.mark.parametrize("name", [OURS, SASREC, GRU4REC])
    def test_the_sampled_loss_draws_items_and_the_full_one_none(self, name):
        used = []
        for sampled in (0, 0, 8):
            step = drills(sampled=sampled)[name].step
            torch.manual_seed(0)
            step()
            used.append(torch.rand(1).item())

        assert used[0] == used[1] != used[2]


class TestMeasuring:
    def test_each_system_is_measured_with_each_loss(self):
        speed = measured()

        assert [(one.system, one.loss) for one in speed.systems] == SYSTEMS

    def test_an_epoch_is_the_median_step_times_its_steps_and_the_preparation(self):
        for one in measured().systems:
            assert len(one.step_seconds) == 3
            expected = sorted(one.step_seconds)[1] * one.steps_per_epoch + one.prepare_seconds
            assert one.seconds_per_epoch == pytest.approx(expected, rel=0.05, abs=1e-3)

    def test_ratios_are_to_sasrec_with_the_same_loss(self):
        found = {(one.system, one.loss): one for one in measured().systems}

        for (system, loss), one in found.items():
            ratio = one.seconds_per_epoch / found[SASREC, loss].seconds_per_epoch
            assert one.ratio_to_sasrec == pytest.approx(ratio, rel=0.05)
            assert one.cpu_ratio_to_sasrec > 0.0
            assert system != SASREC or one.ratio_to_sasrec == 1.0

    def test_no_sample_leaves_the_sampled_loss_out(self):
        assert {one.loss for one in measured(sampled=0).systems} == {"full"}

    def test_threads_and_random_numbers_are_left_as_they_were(self):
        threads, state = torch.get_num_threads(), torch.get_rng_state()

        measured(threads=threads + 1)

        assert torch.get_num_threads() == threads
        assert torch.equal(torch.get_rng_state(), state)

    def test_histories_without_a_next_item_cannot_be_measured(self):
        single = Corpus((np.zeros(1, np.int32),), 5)

        with pytest.raises(ValueError, match="no history has two events"):
            measure(single, Measuring(device="cpu"), progress=silent)


def test_quality_is_given_for_each_system_after_the_epochs_asked_for():
    plan = plan_leave_one_out(two_tastes(users=30, items=40, events=12, again=False))

    found = qualities(plan, SIZES, epochs=1, threads=1, device="cpu", seed=1, progress=silent)

    assert [one.system for one in found] == [OURS, SASREC, GRU4REC]
    assert all(0.0 <= one.ndcg_at_10 <= 1.0 and one.epochs == 1 for one in found)


class TestCommand:
    ARGUMENTS = (
        "bench", "train", "--histories", "60", "--items", "40", "--length", "16", "--width", "8",
        "--batch", "8", "--sampled", "8", "--steps", "1", "--rounds", "1", "--device", "cpu",
    )  # fmt: skip

    def test_figures_are_written_with_what_they_were_measured_on(self, tmp_path):
        path = tmp_path / "train.json"

        assert run_app([*self.ARGUMENTS, "--json", str(path)]) == Exit.DONE

        report = json.loads(path.read_text())
        speed = report["speed"]
        assert report["data"] == "made up"
        assert report["quality"] == []
        assert report["machine"]["cores"] >= 1
        assert speed["extrapolated"] is True
        assert (speed["device"], speed["precision"], speed["threads"]) == ("cpu", "float32", 1)
        assert speed["torch"] == torch.__version__
        assert [(one["system"], one["loss"]) for one in speed["systems"]] == SYSTEMS
        assert all(one["seconds_per_epoch"] > 0.0 for one in speed["systems"])
        assert all(one["ratio_to_sasrec"] > 0.0 for one in speed["systems"])
        assert all(0.0 < one["real_share"] <= 1.0 for one in speed["systems"])

    def test_made_up_data_are_not_learned_for_quality(self, capsys):
        assert run_app([*self.ARGUMENTS, "--epochs", "1"]) == Exit.USAGE

        assert "--data" in capsys.readouterr().err

    def test_a_folder_without_movielens_is_refused_in_one_line(self, tmp_path, capsys):
        assert run_app([*self.ARGUMENTS, "--data", str(tmp_path)]) == Exit.USAGE

        assert "ml-1m is not in" in capsys.readouterr().err
