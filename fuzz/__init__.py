"""Fuzzers for every parser of outside input: one registry of targets, two engines.

``make test`` runs each target briefly on inputs that are the same everywhere (hypothesis,
tests/security/test_fuzz.py). ``make fuzz SECONDS=60`` runs each for so long, guided by coverage
where atheris is installed. What is found becomes a seed of its target.
"""
