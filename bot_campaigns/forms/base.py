"""Base of the desk's forms: the shell's fields, and errors beside what they are about."""

from typing import Any

from django import forms


class DeskForm(forms.Form):
    """A form whose fields look like all others. ``wide`` are those that take a whole line."""

    wide: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if not isinstance(field.widget, forms.CheckboxInput | forms.RadioSelect):
                field.widget.attrs.setdefault("class", "bo-input")
            if name in self.errors if self.is_bound else False:
                field.widget.attrs["aria-invalid"] = "true"
                field.widget.attrs["aria-describedby"] = f"{name}-error"

    @property
    def shown(self) -> list[tuple[Any, bool, bool]]:
        """(field, whether it takes a whole line, whether it is a box to tick) for the template."""
        return [
            (field, field.name in self.wide, isinstance(field.field.widget, forms.CheckboxInput))
            for field in self
        ]
