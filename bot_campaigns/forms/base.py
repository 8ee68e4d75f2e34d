"""Base of the desk's forms: the shell's fields, and errors beside what they are about."""

from typing import Any

from django import forms


class DeskForm(forms.Form):
    """A form whose fields look like all others. ``wide`` are those that take a whole line."""

    wide: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if not isinstance(field.widget, forms.CheckboxInput | forms.RadioSelect):
                field.widget.attrs.setdefault("class", "bo-input")

    @property
    def shown(self) -> list[tuple[Any, bool, bool]]:
        """(field, whether it takes a whole line, whether it is a box to tick) for the template."""
        for name in self.errors:
            if name in self.fields:
                self.fields[name].widget.attrs |= {
                    "aria-invalid": "true",
                    "aria-describedby": f"{name}-error",
                }
        return [
            (field, field.name in self.wide, isinstance(field.field.widget, forms.CheckboxInput))
            for field in self
        ]
