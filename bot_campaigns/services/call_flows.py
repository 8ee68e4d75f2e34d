"""Survey templates and their sections: what a call says."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bot_campaigns.models import BotChange, BotConnection, Section, SurveyTemplate
from bot_campaigns.records import SectionType
from bot_campaigns.services import changes
from bot_campaigns.services.changes import NAME_LENGTHS, Refused

LANGUAGES = (("vi", gettext_lazy("Vietnamese")), ("en", gettext_lazy("English")))
TYPE_NAMES: dict[int, Any] = {
    SectionType.PLAY_MESSAGE: gettext_lazy("play a message"),
    SectionType.MULTI_CHOICE: gettext_lazy("multiple choice"),
    SectionType.RATING: gettext_lazy("rating"),
    SectionType.CAPTURE_DIGITS: gettext_lazy("capture digits"),
    SectionType.RECORD_MESSAGE: gettext_lazy("record a message"),
    SectionType.CALL_TRANSFER: gettext_lazy("transfer the call"),
    SectionType.HANG_UP: gettext_lazy("hang up"),
    SectionType.CONFERENCE: gettext_lazy("conference"),
    SectionType.DO_NOT_CALL: gettext_lazy("put on the do-not-call list"),
    SectionType.SMS: gettext_lazy("send an SMS"),
}
LONGEST_SCRIPT, LONGEST_QUESTION = 1000, 500


def type_name(number: int) -> str:
    """What a section does, in words; a number nobody knows is shown as it is."""
    return str(TYPE_NAMES.get(number) or _("unknown (%d)") % number)


def create_template(
    *, connection: BotConnection, name: str, language: str, description: str, by: Any, nonce: str = ""
) -> BotChange:
    """A new survey template. AntBOT lets its name not be changed afterwards."""
    if not name.strip():
        raise Refused(_("The template needs a name."), "name")
    if language not in dict(LANGUAGES):
        raise Refused(_("Choose the language in which it speaks."), "language")
    named = changes.coded(name, NAME_LENGTHS["templates"])
    values = {**named, "language": language, "description": description.strip()}
    row = SurveyTemplate(
        connection=connection, name=values["name"], language=language, description=values["description"]
    )
    return changes.create(row, values, by=by, nonce=nonce)


def add_section(
    template: SurveyTemplate, *, type: int, question: str, script: str, by: Any, nonce: str = ""
) -> BotChange:
    """One more step at the end of a template."""
    _check(template, question, script, type)
    last = Section.objects.filter(template=template).order_by("-order").first()
    row = Section(
        connection_id=template.connection_id, template=template, type=type, question=question.strip(),
        script=script.strip(), order=(last.order if last else 0) + 1,
    )  # fmt: skip
    values = {"type": type, "question": row.question, "script": row.script}
    return changes.create(row, values, by=by, nonce=nonce)


def edit_section(section: Section, *, type: int, question: str, script: str, by: Any) -> BotChange | None:
    """Change a step. A campaign that was started keeps its sealed copy."""
    _check(section.template, question, script, type)
    values = {"type": type, "question": question.strip(), "script": script.strip()}
    return changes.edit(section, values, by=by)


def _check(template: SurveyTemplate, question: str, script: str, type: int) -> None:
    if template.gone_at is not None:
        raise Refused(_("AntBOT does not list this template any more."))
    if not question.strip():
        raise Refused(_("The section needs a name."), "question")
    if len(script.strip()) > LONGEST_SCRIPT:
        raise Refused(_("AntBOT takes at most %d characters of text.") % LONGEST_SCRIPT, "script")
    if type not in TYPE_NAMES:
        raise Refused(_("Choose what the section does."), "type")
