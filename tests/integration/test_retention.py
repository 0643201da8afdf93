"""Which bundles of a home are removed, and what stays whoever asks."""

import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import msgspec
import pytest

from clickwise.bundle.folder import Manifest
from clickwise.cli import homes, releasing, run, wiring
from clickwise.cli.handlers import item_handler
from clickwise.cli.registry import registry_of
from clickwise.cli.retention import prune
from clickwise.cli.up import prepare
from clickwise.errors import ConflictError, NotFoundError
from clickwise.items import parse_item
from clickwise.profile import Rules
from clickwise.settings import Settings
from clickwise.testing.bundles import random_bundle
from clickwise.vectors.generations import Generations, stored_models
from training.lease import lease

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
# What a worker of the server does when it opens a model.
OPENS = "from clickwise import metrics; metrics.show_models({}, {'live': 'old-1'})"


@pytest.fixture
def settings(tmp_path):
    """Of a home with a live model, that of day 0."""
    made = Settings(home=str(tmp_path / "home"), encoder_model="hashing:64")
    homes.make_home(made)
    prepare(made)
    return made


def store(settings, version, *, age_days=0, vectors=""):
    """A bundle of this home, as far as its manifest."""
    folder = homes.bundles_folder(settings) / version
    folder.mkdir(parents=True)
    manifest = Manifest(
        version=version, vectors=vectors or f"{version}-items",
        created=BEGIN - timedelta(days=age_days), encoder="hashing-64", text_dimension=64,
        dimension=64, rules=Rules(),
    )  # fmt: skip
    (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    (folder / "weights").write_bytes(bytes(1_000))


def index(settings, space):
    """The folder of an index of this home, with nothing in it."""
    Generations(homes.vectors_folder(settings), space).folder.mkdir(parents=True)


def bundle(settings, version, dimension):
    return random_bundle(
        settings.folder.parent / "made", version, encoder="hashing-64", text_dimension=64,
        dimension=dimension,
    )  # fmt: skip


def bundles(settings):
    """All of them but that of day 0."""
    found = homes.bundles_folder(settings).iterdir()
    return {path.name for path in found if not path.name.startswith("day0-")}


def reasons(pruned):
    return {one.name: one.reason for one in pruned.kept}


def test_the_newest_stay_and_the_older_go_with_their_bytes(settings):
    for age in range(4):
        store(settings, f"old-{age}", age_days=age)

    pruned = prune(settings, keep=2)

    assert bundles(settings) == {"old-0", "old-1"}
    assert [one.version for one in pruned.bundles] == ["old-2", "old-3"]
    assert pruned.size_bytes == sum(one.size_bytes for one in pruned.bundles) > 2_000
    assert reasons(pruned)["old-0"] == "among the newest 2"


def test_what_is_in_use_stays_and_can_be_gone_back_to(settings):
    for version, dimension in (("m1", 32), ("m2", 48), ("m3", 96)):
        releasing.promote(settings, bundle(settings, version, dimension))
    releasing.try_on(settings, "canary", bundle(settings, "m4", 40), share=0.5)
    releasing.try_on(settings, "shadow", bundle(settings, "m5", 56), share=0.5)

    pruned = prune(settings, keep=0)

    assert [one.version for one in pruned.bundles] == ["m1"]
    assert {"m2": "previous", "m3": "live", "m4": "canary", "m5": "shadow"}.items() <= reasons(
        pruned
    ).items()
    assert releasing.rollback(settings).version == "m2"


def test_what_the_home_made_for_itself_stays(settings):
    for version, dimension in (("m1", 32), ("m2", 48)):
        releasing.promote(settings, bundle(settings, version, dimension))

    pruned = prune(settings, keep=0)

    assert pruned.bundles == ()
    assert "made by this home" in reasons(pruned).values()


def test_the_index_of_a_removed_bundle_goes_with_it(settings):
    with ExitStack() as stack:
        items = item_handler(wiring.open_core(settings, stack))
        item = parse_item({"id": "a", "kind": "news", "title": "a"}, received=BEGIN)[0]
        items.apply([(item.id, item)])
    for version, dimension in (("m1", 32), ("m2", 48), ("m3", 96)):
        releasing.promote(settings, bundle(settings, version, dimension))
    assert "m1-items" in stored_models(homes.vectors_folder(settings))

    pruned = prune(settings, keep=0)

    assert [(one.space, one.size_bytes > 0) for one in pruned.indexes] == [("m1-items", True)]
    assert {"m2-items", "m3-items"} <= set(stored_models(homes.vectors_folder(settings)))
    assert "m1-items" not in stored_models(homes.vectors_folder(settings))


def test_what_the_registry_names_stays(settings):
    for age in range(3):
        store(settings, f"old-{age}", age_days=age)
    registry = registry_of(settings)
    for version, gate in (("old-2", "passed"), ("old-1", "gain")):
        with registry.run(version, tags={}) as made:
            registry.register(made, version=version, vectors="s", gate=gate, quality=None)

    pruned = prune(settings, keep=0)

    assert bundles(settings) == {"old-2"}
    assert reasons(pruned)["old-2"] == "candidate in the registry"


def test_what_a_process_of_the_server_has_open_stays(settings):
    for age in range(3):
        store(settings, f"old-{age}", age_days=age)
    homes.metrics_folder(settings).mkdir()
    environment = {
        **os.environ, "PROMETHEUS_MULTIPROC_DIR": str(homes.metrics_folder(settings))
    }  # fmt: skip
    subprocess.run([sys.executable, "-c", OPENS], env=environment, check=True)
    server = homes.ServerLock(settings)
    server.take("http://here")

    pruned = prune(settings, keep=0)

    server.release()
    assert bundles(settings) == {"old-1"}
    assert reasons(pruned)["old-1"] == "open in a process"


def test_nothing_is_removed_while_a_trainer_is_at_work(settings):
    store(settings, "old")

    with (
        lease(settings.folder / "training", database_url=""),
        pytest.raises(ConflictError, match="a trainer is at work"),
    ):
        prune(settings, keep=0)

    assert bundles(settings) == {"old"}


def test_nothing_is_removed_while_a_bundle_is_given_a_role(settings):
    releasing.promote(settings, bundle(settings, "m1", 32))
    releasing.promote(settings, bundle(settings, "m2", 48))
    releasing.promote(settings, bundle(settings, "m3", 96))
    removal = threading.Thread(target=prune, args=(settings,), kwargs={"keep": 0})

    def told(step):
        if step == "checked":
            removal.start()
            removal.join(0.5)

    releasing.promote(settings, "m1", told=told)
    removal.join()

    assert {"m1", "m3"} <= bundles(settings)


def test_before_a_model_is_live_nothing_says_what_is_in_use(tmp_path):
    settings = Settings(home=str(tmp_path / "home"), encoder_model="hashing:64")
    store(settings, "old")

    with pytest.raises(NotFoundError, match="no model is live yet"):
        prune(settings, keep=0)

    assert bundles(settings) == {"old"}


def test_what_is_no_bundle_is_left_and_said(settings):
    (homes.bundles_folder(settings) / "notes").mkdir()

    pruned = prune(settings, keep=0)

    assert bundles(settings) == {"notes"}
    assert "manifest.json cannot be read" in reasons(pruned)["notes"]


def test_what_a_killed_removal_left_goes_with_the_next(settings):
    store(settings, "old")
    folder = homes.bundles_folder(settings)
    (folder / "old").rename(folder / ".pruned-old")

    prune(settings, keep=5)

    assert bundles(settings) == set()


class Collections(BaseHTTPRequestHandler):
    """Collections of a Qdrant server, by name."""

    there: set[str]

    def do_GET(self):
        name = unquote(self.path.split("/")[2])
        self._answer({"exists": name in self.there})

    def do_DELETE(self):
        self.there.remove(unquote(self.path.split("?")[0].split("/")[2]))
        self._answer(True)

    def _answer(self, result):
        body = json.dumps({"result": result, "status": "ok", "time": 0.0}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def qdrant(*names):
    handler = type("Here", (Collections,), {"there": set(names)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.there
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_collections_of_a_qdrant_server_go_unless_a_bundle_that_stays_has_them(settings):
    store(settings, "new", vectors="shared")
    store(settings, "same-space", age_days=1, vectors="shared")
    store(settings, "own-space", age_days=2, vectors="alone")

    with qdrant("clickwise@shared", "clickwise@alone") as (url, there):
        pruned = prune(msgspec.structs.replace(settings, qdrant_url=url), keep=1)

    assert bundles(settings) == {"new"}
    assert there == {"clickwise@shared"}
    assert [(one.space, one.size_bytes) for one in pruned.indexes] == [("alone", None)]


def test_no_index_of_a_server_goes_where_a_model_in_use_may_have_it(settings):
    releasing.promote(settings, bundle(settings, "m1", 32))
    shutil.rmtree(homes.bundles_folder(settings) / "m1")  # as in a home that did not train it
    store(settings, "same-space", vectors="m1-items")

    with qdrant("clickwise@m1-items") as (url, there):
        pruned = prune(msgspec.structs.replace(settings, qdrant_url=url), keep=0)

    assert there == {"clickwise@m1-items"}
    assert pruned.indexes == ()
    assert "that of m1 (live), whose bundle is not in this home" in reasons(pruned)["m1-items"]


def test_a_bundle_stays_with_its_index_and_both_go_once_nothing_is_in_doubt(settings):
    releasing.promote(settings, bundle(settings, "m1", 32))
    folder = homes.bundles_folder(settings) / "m1"
    folder.rename(settings.folder / "m1")
    store(settings, "old", vectors="alone")

    with qdrant("clickwise@alone") as (url, there):
        shared = msgspec.structs.replace(settings, qdrant_url=url)
        in_doubt = prune(shared, keep=0)
        bundles_in_doubt, there_in_doubt = bundles(settings), set(there)
        (settings.folder / "m1").rename(folder)
        prune(shared, keep=0)

    assert in_doubt.bundles == ()
    assert reasons(in_doubt)["old"] == "its index alone stays"
    assert (bundles_in_doubt, there_in_doubt) == ({"old"}, {"clickwise@alone"})
    assert (bundles(settings), there) == ({"m1"}, set())


def test_an_index_of_this_home_is_nobody_elses(settings):
    releasing.promote(settings, bundle(settings, "m1", 32))
    shutil.rmtree(homes.bundles_folder(settings) / "m1")  # as in a home that did not train it
    store(settings, "old", vectors="alone")
    index(settings, "alone")

    pruned = prune(settings, keep=0)

    assert bundles(settings) == set()
    assert [one.space for one in pruned.indexes] == ["alone"]


def test_a_bundle_stays_while_its_index_is_being_built(settings):
    store(settings, "old", vectors="alone")
    index(settings, "alone")

    with Generations(homes.vectors_folder(settings), "alone").building():
        pruned = prune(settings, keep=0)

    assert bundles(settings) == {"old"}
    assert "is building" in reasons(pruned)["alone"]
    assert reasons(pruned)["old"] == "its index alone stays"
    assert [one.version for one in prune(settings, keep=0).bundles] == ["old"]


def test_the_command_says_what_it_removed_and_how_many_bytes(settings, monkeypatch, capsys):
    monkeypatch.setenv("CLICKWISE_ENCODER_MODEL", "hashing:64")
    store(settings, "new")
    store(settings, "old", age_days=1)

    code = run(["models", "prune", "--keep", "1", "--home", str(settings.folder)])

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert any("old" in line and "removed" in line for line in lines)
    assert any("new" in line and "kept: among the newest 1" in line for line in lines)
    assert lines[-1].startswith("1 bundles and 0 indexes removed: 1,")
