"""Indicators over bars of all tokens at once: time along the first axis, tokens along the second."""
