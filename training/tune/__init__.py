"""Tuning the text encoder and a classifier on a site's own text. Start reading at `classify`."""
