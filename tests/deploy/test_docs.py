"""docs/deploy.md and docs/care.md name what there is: settings, commands, files, values."""

import re
import shlex

import msgspec
import pytest
import yaml

from clickwise.settings import PREFIX, Settings
from tests.deploy.files import DEPLOY, ROOT, refusal

TEXT = "\n".join((ROOT / "docs" / name).read_text() for name in ("deploy.md", "care.md"))
# What Kubernetes would set: named as the reason why service links are off.
NO_SETTING = {"CLICKWISE_SERVE_SERVICE_HOST"}


def test_each_setting_is_one():
    known = {PREFIX + field.name.upper() for field in msgspec.structs.fields(Settings)}

    assert set(re.findall(r"CLICKWISE_[A-Z_]+[A-Z]", TEXT)) - NO_SETTING <= known


@pytest.mark.parametrize(
    "line", re.findall(r"(?:^|`|-m )clickwise(?:\.cli)? ([a-z][^`\n|]*)", TEXT)
)
def test_each_command_is_one(line):
    words = shlex.split(line)
    if words[0] == "bench":  # its own command line: only its name is known here
        words = ["bench"]

    assert not refusal(words)


def test_each_file_is_there():
    for path in re.findall(r"(?:deploy|docs|tests)/[\w./-]+\w", TEXT):
        assert (ROOT / path).exists() or path.startswith("deploy/.secrets"), path
    for path in re.findall(r"\]\(([\w./-]+)\)", TEXT):
        assert (ROOT / "docs" / path).exists(), path


def test_each_value_of_the_chart_is_one():
    values = yaml.safe_load((DEPLOY / "helm" / "clickwise" / "values.yaml").read_text())
    roots = "|".join(values)

    for name in re.findall(rf"`((?:{roots})(?:\.\w+)+)[:` ]", TEXT):
        found = values
        for part in name.split("."):
            assert part in found, name
            found = found[part]
