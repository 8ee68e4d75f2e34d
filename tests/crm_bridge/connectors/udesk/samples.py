"""The invented samples in tests/payloads/udesk."""

import json
from pathlib import Path
from typing import Any

from crm_bridge.connectors.udesk.mapping import Definitions, to_definitions

FOLDER = Path(__file__).parents[3] / "payloads" / "udesk"


def sample(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def definitions() -> Definitions:
    return Definitions({each.key: each for each in to_definitions(sample("custom_fields")["custom_fields"])})
