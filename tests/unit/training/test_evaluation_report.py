"""From fitted rankers to a report, its page and its plots."""

import re
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest

from clickwise.errors import ConfigurationError
from tests.unit.training.evaluation_sites import DAY, NOON, Chain, Fixed, silent, site
from training.evaluation.course import Course
from training.evaluation.forward import plan_from
from training.evaluation.hybrid import compare
from training.evaluation.leave_one_out import plan_leave_one_out
from training.evaluation.page import render, verdict
from training.evaluation.plots import charts, inline_svg, write_pngs
from training.evaluation.report import Table, from_json, to_json
from training.evaluation.runner import evaluate

ITEMS, CUT = 30, NOON + 5 * DAY
SCRIPT = "<script>alert('x')</script> $x^2$ & co"


def walkers():
    """People who go from one item to the next: half of their ways are seen before the cut."""
    return site(
        [
            (user, (3 * user + step) % ITEMS, NOON + DAY * step + user)
            for user in range(40)
            for step in range(0 if user else 4, 10)
        ],
        items=ITEMS,
        languages=("en", "zh") * (ITEMS // 2),
    )


class Sometimes(Chain):
    """Right about every second user."""

    def score(self, users, histories):
        scores = super().score(users, histories)
        scores[np.array(users) % 2 == 1] = 0.0
        return scores


@pytest.fixture(scope="module")
def report():
    systems = [Fixed(range(ITEMS), "popular"), Sometimes(ITEMS, "half"), Chain(ITEMS, "ours")]
    course = Course(
        seed=1, ours="ours", trials=100, hybrids={"ours": ("half", "popular")},
        command="clickwise evaluate made-up --seed 1", versions={"numpy": "2"},
        system_notes={"half": "of 3 trials"}, notes=("a note",),
    )  # fmt: skip
    return evaluate(plan_from(walkers(), CUT), systems, course, progress=silent)


@pytest.fixture(scope="module")
def page(report):
    return render(report)


def test_systems_are_in_order_of_the_headline(report):
    assert [system.name for system in report.systems] == ["ours", "half", "popular"]
    assert report.headline == "NDCG@10"
    assert report.system("ours").metrics["NDCG@10"].mean == 1.0
    assert report.system("half").metrics["Recall@10"].mean == pytest.approx(0.5)


def test_each_system_is_fitted_on_the_training_part_with_the_seed():
    plan, system = plan_from(walkers(), CUT), Fixed(range(ITEMS))

    evaluate(plan, [system], Course(seed=7, trials=10), progress=silent)

    data, seed = system.fitted
    assert seed == 7
    assert data.log.times_N.max() < CUT


def test_no_question_holds_anything_from_its_own_moment_on():
    plan, system = plan_from(walkers(), CUT), Fixed(range(ITEMS))

    evaluate(plan, [system], Course(seed=1, trials=10), progress=silent)

    assert len(system.asked) == len(plan.cases)
    assert all((history.times_T < history.now).all() for _, history in system.asked)


def test_ours_is_compared_with_every_other_by_two_metrics(report):
    found = [(one.metric, one.system, one.other, one.better) for one in report.comparisons]

    assert found == [
        ("NDCG@10", "ours", "half", True),
        ("NDCG@10", "ours", "popular", True),
        ("Recall@10", "ours", "half", True),
        ("Recall@10", "ours", "popular", True),
    ]
    assert report.best_baseline == "half"


def test_without_ours_the_best_is_compared_with_the_rest():
    systems = [Fixed(range(ITEMS), "popular"), Chain(ITEMS)]

    found = evaluate(
        plan_from(walkers(), CUT), systems, Course(seed=1, ours="ours", trials=10), progress=silent
    )

    assert found.ours == ""
    assert {(one.system, one.other) for one in found.comparisons} == {("chain", "popular")}


def test_a_hybrid_is_compared_with_each_of_its_sources(report):
    assert [(one.system, one.other) for one in report.hybrids] == [
        ("ours", "half"),
        ("ours", "popular"),
    ]
    assert report.hybrids[0].difference.mean == pytest.approx(0.5)


def test_a_hybrid_of_what_was_not_asked_is_refused():
    with pytest.raises(ValueError, match="'none'"):
        compare("a", ["none"], {"a": np.ones(2)}, np.zeros(2, int), metric="m", seed=1)


def test_slices_curve_and_leaks_are_reported(report):
    assert {one.name for one in report.slices} >= {"en", "zh", "5 to 9 events"}
    assert set(report.curves[0].values) == {"ours", "half", "popular"}
    assert report.leaks == ()


def test_leave_one_out_has_no_course_of_time():
    found = evaluate(
        plan_leave_one_out(walkers()), [Chain(ITEMS)], Course(seed=1, trials=10), progress=silent
    )

    assert found.curves == ()
    assert found.system("chain").metrics["NDCG@10"].mean == 1.0


def test_equal_seeds_give_equal_figures(report):
    systems = [Fixed(range(ITEMS), "popular"), Sometimes(ITEMS, "half"), Chain(ITEMS, "ours")]

    again = evaluate(
        plan_from(walkers(), CUT), systems, Course(seed=1, ours="ours", trials=100), progress=silent
    )

    assert [one.metrics for one in again.systems] == [one.metrics for one in report.systems]
    assert again.comparisons == report.comparisons
    assert again.slices == report.slices


@pytest.mark.parametrize("names", [[], ["same", "same"]])
def test_systems_need_different_names(names):
    with pytest.raises(ValueError, match="different names"):
        evaluate(
            plan_from(walkers(), CUT),
            [Chain(ITEMS, name) for name in names],
            Course(seed=1),
            progress=silent,
        )


def test_progress_ends_with_all_of_every_system():
    heard = []

    evaluate(
        plan_from(walkers(), CUT),
        [Chain(ITEMS)],
        Course(seed=1, trials=10),
        progress=lambda what, share: heard.append((what, share)),
    )

    assert heard[0] == ("chain: fitting", 0.0)
    assert ("chain: asking", 1.0) in heard


def test_json_gives_the_same_report_back(report):
    assert from_json(to_json(report)) == report
    assert msgspec.json.decode(to_json(report))["systems"][0]["metrics"]["NDCG@10"]["mean"] == 1.0


# The page


class Tags(HTMLParser):
    """Tags that are open at the end, all that were opened, and text."""

    def __init__(self, page):
        super().__init__()
        self.open, self.names, self.attributes, self.text = [], [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def hostile(report):
    """The same figures under names that somebody chose with care."""
    rename = lambda name: SCRIPT if name == "ours" else name  # noqa: E731
    content = msgspec.to_builtins(report)

    def renamed(value):
        if isinstance(value, dict):
            return {rename(key): renamed(inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [renamed(inner) for inner in value]
        return rename(value) if isinstance(value, str) else value

    changed = msgspec.convert(renamed(content), type(report))
    return msgspec.structs.replace(
        changed,
        description=SCRIPT,
        command=SCRIPT,
        notes=(SCRIPT,),
        attacks=Table(title=SCRIPT, columns=(SCRIPT, "n"), rows=((SCRIPT, 1.5),), note=SCRIPT),
    )


def test_the_page_is_whole_and_says_who_wins(page):
    page = Tags(page)

    assert page.open == []
    assert "ours is better than the best baseline, half" in page.text
    assert "half (of 3 trials)" in page.text
    assert "No leak from the test into the training part." in page.text
    assert page.names.count("svg") == 3


def test_the_page_needs_nothing_from_elsewhere(page):
    tags = Tags(page)

    assert not {"script", "link", "img", "iframe"} & set(tags.names)
    targets = [
        value for name, value in tags.attributes if name in {"href", "xlink:href", "src"} and value
    ]
    assert all(target.startswith("#") for target in targets)
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_names_are_text_and_never_markup_or_formulas(report):
    rendered = render(hostile(report))

    assert "<script" not in rendered
    page = Tags(rendered)
    assert page.open == []
    assert page.text.count("alert('x')") > 10
    assert "$x^2$ & co" in page.text
    assert "$x^2$ &amp; co</text>" in inline_svg(charts(hostile(report))["systems"], "systems")


def test_ids_are_unique_within_the_page(page):
    ids = [value for name, value in Tags(page).attributes if name == "id"]

    assert len(set(ids)) == len(ids)


def test_charts_follow_the_colors_of_the_page(report):
    drawn = inline_svg(charts(report)["systems"], "systems")

    assert "var(--ink)" in drawn
    assert "var(--grid)" in drawn


def test_the_page_is_the_same_every_time(report, page):
    assert render(report) == page


def test_names_in_any_script_can_be_drawn(report, tmp_path):
    (first, *rest) = report.systems
    named = msgspec.structs.replace(
        report,
        systems=(msgspec.structs.replace(first, name="\u63a8\u8350"), *rest),
        ours="\u63a8\u8350",
        comparisons=(),
        hybrids=(),
        slices=(),
        curves=(),
    )

    assert "\u63a8\u8350" in render(named)
    assert write_pngs(named, tmp_path)


def test_a_report_without_slices_curves_and_comparisons_has_a_page(report):
    bare = msgspec.structs.replace(report, slices=(), curves=(), comparisons=(), hybrids=())

    page = Tags(render(bare))

    assert page.names.count("svg") == 1
    assert verdict(bare) == "ours leads with NDCG@10 1.0000 (1.0000 to 1.0000)."


def test_who_is_not_better_beyond_the_interval_is_told_so(report):
    one = msgspec.structs.replace(report.comparisons[0], better=False)
    doubtful = msgspec.structs.replace(report, comparisons=(one,))

    assert "ours is not better beyond the interval than the best" in verdict(doubtful)


# The plots


def test_each_chart_is_a_picture_of_its_own(report, tmp_path):
    paths = write_pngs(report, tmp_path / "new" / "plots")

    assert [path.name for path in paths] == ["systems.png", "slices.png", "curve-1.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_a_folder_that_cannot_be_made_is_one_line(report, tmp_path):
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_pngs(report, tmp_path / "taken" / "plots")


def test_a_report_of_attacks_has_a_page_without_systems_and_no_plots(report, tmp_path):
    table = Table(title="Attacks", columns=("attack", "after"), rows=(("flood", 615),), note="how")
    attacked = msgspec.structs.replace(
        report, systems=(), comparisons=(), hybrids=(), slices=(), curves=(), attacks=table
    )

    tags = Tags(render(attacked))

    assert from_json(to_json(attacked)) == attacked
    assert tags.open == []
    assert "flood" in tags.text
    assert "No leak" not in tags.text
    assert verdict(attacked) == ""
    assert write_pngs(attacked, tmp_path / "png") == ()
