#!/usr/local/bin/python
"""Whether an address answers with 200: what a container's health check runs.

    healthy http://127.0.0.1:8000/healthz

Exit code 0 when it does; 1 when it does not, with the reason in a line. The images have no curl.
"""

import http.client
import sys
import urllib.error
import urllib.request

SECONDS = 4.0


def fault_of(address: str) -> str:
    """Why `address` does not answer a GET with 200 in time; empty where it does."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(address, timeout=SECONDS) as answer:
            return "" if answer.status == 200 else f"answers {answer.status}, not 200"
    except http.client.HTTPException as error:
        return f"answers, but no HTTP ({error!r}): is it TLS? Leave that to a proxy in front"
    except (urllib.error.URLError, OSError) as error:
        return f"{error}"


if __name__ == "__main__":
    fault = fault_of(sys.argv[1])
    sys.exit(f"{sys.argv[1]}: {fault}" if fault else 0)  # words: on standard error, with code 1
