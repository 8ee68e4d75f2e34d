"""Collects what staff read, for the translators: ours and the admin shell's."""

import re
from pathlib import Path
from typing import Any

import unfold
from django.core.management.commands import makemessages

ELSEWHERE = [".venv", "build", "sandbox", "tests", "var"]


class Command(makemessages.Command):
    help = (
        "Collect the words of the product and of unfold, whose wheel has no translations. Needs GNU gettext."
    )

    # A guess that a translator overlooks would say the wrong thing to staff.
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]
    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=_g"]

    def handle(self, *args: Any, **options: Any) -> None:
        # Without places and dates, so that the file changes only when words do.
        options |= {"no_location": True, "no_obsolete": True}
        options["ignore_patterns"] += ELSEWHERE
        super().handle(*args, **options)

    def find_files(self, root: str) -> list[Any]:
        return sorted([*super().find_files(root), *super().find_files(str(Path(unfold.__file__).parent))])

    def write_po_file(self, potfile: str, locale: str) -> None:
        super().write_po_file(potfile, locale)
        written = Path(potfile).parent / locale / "LC_MESSAGES" / f"{self.domain}.po"
        headers = r'^"(POT-Creation-Date|Report-Msgid-Bugs-To):.*\n'
        written.write_text(re.sub(headers, "", written.read_text(), flags=re.MULTILINE))
