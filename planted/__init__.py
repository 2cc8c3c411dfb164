"""Tests of the tests: bugs that calsync must not have, planted one at a time.

``python -m planted`` puts each of them into a copy of the code and runs the simulation of a pull
request on it, until a history fails. A bug that no history catches is a gap of the simulation.
"""
