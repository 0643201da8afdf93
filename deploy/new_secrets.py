"""Writes the passwords and keys of `docker-compose.yml`: random, once, each for who needs it.

    python deploy/new_secrets.py deploy/.secrets

<folder>/clickwise.env   the database's URL, Qdrant's key, the site's API key and Prometheus'
<folder>/postgres.env    the database's password
<folder>/qdrant.env      Qdrant's key
<folder>/grafana.env     the password of Grafana's admin
<folder>/metrics-key     the key that Prometheus shows, which opens figures alone
<folder>/alertmanager/   pager-key, chat-url, watchdog-url, empty: put in whom Alertmanager tells

What is there is left as it is: a changed password would lock the data out. The folder is its
owner's alone; the files in it can be read by the users of the containers that they are mounted in.
"""

import secrets
import sys
from pathlib import Path


def write_secrets(folder: Path) -> bool:
    """Write them where the folder is not there yet; whether it was not.

    The folder appears whole or not at all.
    """
    if folder.exists():
        return False
    database, qdrant, metrics = (secrets.token_urlsafe(32) for _ in range(3))
    files = {
        "clickwise.env": {
            "CLICKWISE_API_KEYS": secrets.token_urlsafe(32),
            "CLICKWISE_METRICS_KEYS": metrics,
            "CLICKWISE_DATABASE_URL": f"postgresql+psycopg://clickwise:{database}@postgres/clickwise",
            "CLICKWISE_QDRANT_API_KEY": qdrant,
        },
        "postgres.env": {"POSTGRES_PASSWORD": database},
        "qdrant.env": {"QDRANT__SERVICE__API_KEY": qdrant},
        "grafana.env": {"GF_SECURITY_ADMIN_PASSWORD": secrets.token_urlsafe(24)},
    }
    beside = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}")
    beside.mkdir(parents=True, mode=0o700)
    for name, variables in files.items():
        lines = "".join(f"{key}={value}\n" for key, value in variables.items())
        (beside / name).write_text(lines)
        (beside / name).chmod(0o600)  # read by `docker compose` on the host
    (beside / "metrics-key").write_text(metrics)
    (beside / "metrics-key").chmod(0o644)  # mounted, and read by Prometheus' own user
    (beside / "alertmanager").mkdir()
    (beside / "alertmanager").chmod(0o755)  # read by Alertmanager's own user, whatever the umask
    for name in ("pager-key", "chat-url", "watchdog-url"):
        (beside / "alertmanager" / name).touch()
        (beside / "alertmanager" / name).chmod(0o644)
    beside.rename(folder)
    return True


if __name__ == "__main__":
    target = Path(sys.argv[1])
    print(f"{target}: {'written' if write_secrets(target) else 'there already, left as it is'}")
