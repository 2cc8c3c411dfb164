"""Histories of one room, made from a seed: people act on both sides, the world misbehaves, and an
oracle that never asks calsync judges what both sides show.

``people`` makes the history, ``adversary`` the misfortune, ``oracle`` the verdict, ``run`` joins
them to the real engine on two in-memory sides. A seed and a mode give the same history always:

    python -m tests.simulation FIRST LAST [--mode MODE]
    python -m tests.simulation --story SEED [--mode MODE]
"""
