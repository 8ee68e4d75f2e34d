"""Charts in the shell's colours. The same numbers stand below each as a table."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

COLOURS = {
    "strong": "var(--color-primary-600)",
    "soft": "var(--color-primary-300)",
    "bad": "var(--bo-chart-bad)",
}


@dataclass(frozen=True, slots=True)
class Series:
    label: str
    values: Sequence[int]
    colour: str = "strong"


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars over labels. ``heading`` names what the labels are, for the table."""

    heading: str
    labels: Sequence[str]
    series: Sequence[Series]
    stacked: bool = False
    name: str = ""
    """Where it refreshes itself: what its new numbers are found by."""

    @property
    def is_empty(self) -> bool:
        return not any(any(each.values) for each in self.series)

    @property
    def rows(self) -> list[tuple[str, list[int]]]:
        """For the table: a label and its numbers."""
        return [
            (label, [each.values[place] for each in self.series]) for place, label in enumerate(self.labels)
        ]

    @property
    def data(self) -> str:
        return json.dumps(
            {
                "labels": list(self.labels),
                "datasets": [
                    {
                        "label": each.label,
                        "data": list(each.values),
                        "backgroundColor": COLOURS[each.colour],
                    }
                    for each in self.series
                ],
            }
        )

    @property
    def options(self) -> str:
        axis: dict[str, Any] = {"stacked": True} if self.stacked else {}
        return json.dumps(
            {
                "responsive": True,
                "maintainAspectRatio": False,
                "grouped": True,
                "maxBarThickness": 22,
                "animation": False,
                "plugins": {"legend": {"display": True, "position": "bottom", "labels": {"boxWidth": 12}}},
                "scales": {
                    "x": {"grid": {"display": False}, **axis},
                    "y": {"beginAtZero": True, "ticks": {"precision": 0, "maxTicksLimit": 5}, **axis},
                },
            }
        )
