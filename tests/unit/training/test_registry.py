"""Runs and models in a local MLflow."""

import logging

import pytest

from clickwise.errors import NotFoundError, UnavailableError
from training.registry import Registry


def local(folder):
    return Registry(f"sqlite:///{folder}/mlflow.sqlite", artifacts=folder / "artifacts")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A registry with two trainings: the first passed, the second was refused."""
    folder = tmp_path_factory.mktemp("registry")
    registry = local(folder)
    bundle = folder / "made"
    bundle.mkdir()
    (bundle / "manifest.json").write_text('{"version": "learned-1"}')
    for version, gate, quality in (("learned-1", "passed", 0.21), ("learned-2", "gain", 0.19)):
        with registry.run(version, tags={"kind": "full"}) as run:
            run.params({"epochs": 3, "width": 64})
            for epoch in range(3):
                run.figures({"loss": 3.0 - epoch, "quality": quality}, step=epoch)
            run.text("card.md", f"# {version}\n")
            run.file(bundle, "bundle")
        registry.register(run, version=version, vectors="space-1", gate=gate, quality=quality)
    return registry


def test_models_are_listed_newest_first_with_what_the_gate_said(site):
    assert [(one.number, one.version, one.gate, one.quality) for one in site.models()] == [
        (2, "learned-2", "gain", 0.19),
        (1, "learned-1", "passed", 0.21),
    ]


def test_only_what_passed_becomes_the_candidate(site):
    site.follow({"candidate": "learned-1", "live": "", "previous": ""})

    assert [one.aliases for one in site.models()] == [(), ("candidate",)]


def test_aliases_follow_what_is_live(site):
    site.follow({"live": "learned-2", "previous": "learned-1", "candidate": "day0-none"})

    assert {alias: one.version for one in site.models() for alias in one.aliases} == {
        "live": "learned-2",
        "previous": "learned-1",
    }
    assert site.model("live").version == "learned-2"
    assert site.aliased() == {"learned-2": ("live",), "learned-1": ("previous",)}


def test_a_model_is_found_by_number_and_by_its_bundle(site):
    assert site.model("1").version == "learned-1"
    assert site.model("learned-2").number == 2
    with pytest.raises(NotFoundError, match=r"no model 'learned-3'.*learned-2, learned-1"):
        site.model("learned-3")


def test_parameters_figures_and_texts_can_be_read_again(site):
    model = site.model("learned-1")

    assert site.params(model) == {"epochs": "3", "width": "64"}
    assert site.metrics(model)["loss"] == 1.0
    assert site.text(model, "card.md") == "# learned-1\n"
    assert site.text(model, "bundle/manifest.json") == '{"version": "learned-1"}'
    assert site.text(model, "nothing.md") is None


def test_a_training_that_fails_is_a_failed_run(site):
    with pytest.raises(RuntimeError), site.run("fails", tags={}) as run:
        raise RuntimeError

    assert site._client.get_run(run.id).info.status == "FAILED"


def test_a_new_registry_has_no_models(tmp_path, caplog):
    caplog.set_level(logging.INFO)

    assert local(tmp_path).models() == []
    assert not [one for one in caplog.records if one.name.startswith(("mlflow", "alembic"))]


def test_a_server_that_is_away_is_said_in_a_line():
    registry = Registry("http://127.0.0.1:9", artifacts=None)

    with pytest.raises(UnavailableError, match=r"^MLflow: .*CLICKWISE_MLFLOW_URL$"):
        registry.models()
