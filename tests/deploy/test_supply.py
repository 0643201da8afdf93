"""What a release is made of, its licenses, and that nothing in it can be changed unseen."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
import tomllib

import pytest

from deploy.supply import EXTRAS, Part, bill, license_of, parts, refused
from tests.deploy.files import ROOT


@pytest.fixture(scope="module")
def found():
    return parts()


def supply(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "deploy.supply", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_the_bill_names_what_is_needed_with_what_that_needs(found):
    document = bill(found, version="1.2.3", direct={"starlette", "httpx"})

    named = {one["name"]: one for one in document["components"]}
    assert {"starlette", "anyio", "torch", "aiokafka", "psycopg-binary"} <= named.keys()
    assert not {"pytest", "ruff", "clickwise"} & named.keys()
    version = importlib.metadata.version("httpx")
    assert named["httpx"]["purl"] == f"pkg:pypi/httpx@{version}"
    needs = {one["ref"]: one["dependsOn"] for one in document["dependencies"]}
    assert needs["clickwise"] == ["httpx", "starlette"]
    assert "httpcore" in needs["httpx"]
    assert needs.keys() == named.keys() | {"clickwise"}
    assert all(need in named for one in needs.values() for need in one)


def test_the_bill_of_the_same_packages_is_the_same(found):
    assert bill(found, version="1") == bill(list(found), version="1")
    assert bill(found, version="1") != bill(found[1:], version="1")


def test_every_extra_that_is_installed_to_be_used_is_in_the_bill(found):
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = table["optional-dependencies"].keys() - {"dev", "gpu"}

    assert set(EXTRAS) == extras
    assert {"opentelemetry-sdk", "openai", "torch", "aiokafka"} <= {one.name for one in found}


def test_every_license_is_known_and_allowed(found):
    assert refused(found) == []


@pytest.mark.parametrize(
    ("license", "passes"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("Apache-2.0 AND (MIT OR BSD-2-Clause)", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("AGPL-3.0-or-later", False),
        ("", False),
    ],
)
def test_a_license_passes_when_a_choice_of_it_is_allowed(license, passes):  # noqa: A002
    assert (refused([Part("one", "1", license, ())]) == []) is passes


def test_words_that_no_rule_knows_are_no_license(tmp_path):
    folder = tmp_path / "odd-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: odd\nVersion: 1\nLicense: ask the author\n")

    assert license_of(importlib.metadata.PathDistribution(folder)) == ""


@pytest.fixture
def key(tmp_path):
    def make(name):
        path = tmp_path / name
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True
        )
        return path

    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    return make


@pytest.fixture
def release(tmp_path, key):
    """A signed folder, and the file that says who may sign."""
    folder, signers = tmp_path / "dist", tmp_path / "allowed_signers"
    folder.mkdir()
    (folder / "clickwise.whl").write_bytes(b"a wheel")
    (folder / "clickwise.cdx.json").write_text(json.dumps({}))
    path = key("release")
    signers.write_text(f"release {path.with_suffix('.pub').read_text()}")
    assert supply("sign", folder, "--key", path).returncode == 0
    return folder, signers


def test_a_release_as_it_was_signed_is_verified(release):
    folder, signers = release

    assert supply("verify", folder, "--signers", signers).returncode == 0
    check = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=False,
        capture_output=True,
    )  # fmt: skip
    assert check.returncode == 0


def changed_file(folder):
    (folder / "clickwise.whl").write_bytes(b"another")


def added_file(folder):
    (folder / "more.whl").write_bytes(b"more")


def lost_file(folder):
    (folder / "clickwise.whl").unlink()


def changed_sums(folder):
    changed_file(folder)
    sums = folder / "SHA256SUMS"
    sums.write_text(sums.read_text().replace("a", "b"))


@pytest.mark.parametrize("change", [changed_file, added_file, lost_file, changed_sums])
def test_a_release_that_was_changed_is_refused(release, change):
    folder, signers = release
    change(folder)

    ran = supply("verify", folder, "--signers", signers)

    assert ran.returncode == 1
    assert "not as signed" in ran.stderr or "no signature" in ran.stderr


def test_another_key_is_no_signature(release, key):
    folder, signers = release
    assert supply("sign", folder, "--key", key("other")).returncode == 0

    assert "no signature" in supply("verify", folder, "--signers", signers).stderr
