"""Benchmarks as ratios in one run: calsync against a bare script that does the same I/O.

``python -m bench`` prints and writes ``bench/report.json``. Every measured job runs in a process
of its own; wall and processor time are those of that job alone, without its set-up."""
