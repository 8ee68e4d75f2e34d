"""Switches for behaviour no vendor page documents, settable while the sandbox runs."""

from dataclasses import dataclass
from typing import Any


class UnknownSwitch(ValueError):
    """No such switch, or a value it does not take; the text names both."""


@dataclass(frozen=True)
class Switch:
    """One undocumented behaviour: its default, its choices (none: any value of that type), its meaning."""

    default: Any
    choices: tuple[Any, ...] = ()
    help: str = ""


class Switches:
    """The values of a vendor's switches; read them with `switches["name"]`."""

    def __init__(self, definitions: dict[str, Switch]) -> None:
        self.definitions = definitions
        self._values = {name: switch.default for name, switch in definitions.items()}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def reset(self) -> None:
        """Back to the defaults."""
        self._values = {name: switch.default for name, switch in self.definitions.items()}

    def set(self, changes: dict[str, Any]) -> None:
        """Change several at once; nothing changes when one of them is wrong."""
        checked = {name: self._checked(name, value) for name, value in changes.items()}
        self._values = self._values | checked

    def _checked(self, name: str, value: Any) -> Any:
        switch = self.definitions.get(name)
        if switch is None:
            raise UnknownSwitch(f"no switch {name!r}; there are {', '.join(sorted(self.definitions))}")
        if switch.choices:
            if value not in switch.choices:
                raise UnknownSwitch(
                    f"switch {name} takes {', '.join(map(str, switch.choices))}, not {value!r}"
                )
        elif isinstance(value, bool) or not isinstance(value, type(switch.default)):
            raise UnknownSwitch(f"switch {name} takes {type(switch.default).__name__}, not {value!r}")
        return value

    def as_dict(self) -> dict[str, Any]:
        """Every switch with its value, choices and meaning."""
        return {
            name: {
                "value": self._values[name],
                "default": switch.default,
                "choices": list(switch.choices),
                "help": switch.help,
            }
            for name, switch in self.definitions.items()
        }
