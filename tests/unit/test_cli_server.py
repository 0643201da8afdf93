"""The server's exit code: what its workers ended with."""

import subprocess
import sys

import pytest

from clickwise.cli.server import worst_code
from clickwise.settings import Settings, environment_of
from clickwise.testing.kafka import free_ports


@pytest.mark.parametrize(
    ("codes", "code"), [((2,), 2), ((0, 3), 3), ((-9,), 1), ((1, 1), 1), ((), 1)]
)
def test_a_server_ends_with_the_reason_that_a_worker_told(codes, code):
    assert worst_code(codes) == code


SERVE = """
import os, sys
from clickwise.cli.server import _serve
from clickwise.settings import load

if __name__ == "__main__":
    sys.exit(_serve(load(os.environ)))
"""


def test_a_worker_whose_database_is_away_ends_the_server_with_3(tmp_path):
    port, nobody = free_ports(2)
    settings = Settings(
        home=str(tmp_path), port=port, encoder_model="hashing:64", startup_timeout_seconds=1.0
    )
    environment = environment_of(settings) | {
        "CLICKWISE_DATABASE_URL": f"postgresql+psycopg://nobody:none@127.0.0.1:{nobody}/nothing"
    }

    done = subprocess.run(
        [sys.executable, "-c", SERVE], env=environment, capture_output=True, timeout=90, check=False
    )

    assert done.returncode == 3, done.stderr.decode()
