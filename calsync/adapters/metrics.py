"""Figures for monitoring in the text form of Prometheus, by hand: it is one page of lines.

https://prometheus.io/docs/instrumenting/exposition_formats/. No figure names a person, a booking
or a mailbox; labels are rooms, connections and endpoints by their ids, states and statuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Metric:
    """``name`` without the common beginning. ``samples``: labels and value of each line."""

    name: str
    kind: str
    help: str
    samples: Sequence[tuple[Mapping[str, str], float]]


def counter(name: str, text: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Metric:
    return Metric(name, "counter", text, list(samples))


def gauge(name: str, text: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Metric:
    return Metric(name, "gauge", text, list(samples))


def one(value: float) -> list[tuple[Mapping[str, str], float]]:
    """A single line without labels."""
    return [({}, value)]


def text(metrics: Iterable[Metric]) -> str:
    lines: list[str] = []
    for metric in metrics:
        name = f"calsync_{metric.name}"
        lines += [f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}"]
        lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in metric.samples]
    return "\n".join([*lines, ""])


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.3f}"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
