"""Dashboards as code: `python -m deploy.generate` writes `dashboards/` from them."""
