"""Ours against what a person would otherwise run: one file a comparison, both sides in one run.

Each side of each round is a fresh process, so that neither inherits the other's heap or caches. Only
ratios of medians are worth quoting; the machine's own speed is in every time.
"""
