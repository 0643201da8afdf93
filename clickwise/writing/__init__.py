"""Texts written for readers: titles, summaries, key points, reasons; and the gate before them."""
