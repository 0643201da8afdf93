"""Rules and alerts as code: `python -m deploy.generate` writes `rules/` and `tests/` from them."""
