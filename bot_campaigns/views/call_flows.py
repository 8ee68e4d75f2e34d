"""Survey templates with their sections, and the gateways calls go out by."""

from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _

from backoffice.pages import ListPage, Page, link
from bot_campaigns.filters.desk import GatewayFilter, TemplateFilter
from bot_campaigns.forms.base import DeskForm
from bot_campaigns.forms.desk import NewTemplate, SectionForm
from bot_campaigns.labels import row_state
from bot_campaigns.models import Gateway, Launch, Section, SurveyTemplate
from bot_campaigns.services import call_flows, changes
from bot_campaigns.tables.desk import GatewayTable, TemplateTable
from bot_campaigns.views.base import DeskList, FormPage, page_of, receipt_context, row_or_404

LIST = ((_("Survey templates"), "bot:templates"),)
_COMING = (Launch.Status.CHECKED, Launch.Status.HANDING_OVER, Launch.Status.READY, Launch.Status.HELD)


class TemplateList(DeskList):
    permission = "bot_campaigns.view_surveytemplate"
    title = _("Survey templates")
    noun = _("templates")
    empty_text = _("No survey template yet. Create one, or sync the bot.")
    table_class = TemplateTable
    filterset_class = TemplateFilter

    def get_queryset(self) -> QuerySet[SurveyTemplate]:
        return SurveyTemplate.objects.order_by("name", "id")

    def with_related(self, rows: QuerySet[SurveyTemplate]) -> QuerySet[SurveyTemplate]:
        listed = Section.objects.filter(template=OuterRef("pk"), gone_at__isnull=True).order_by()
        counted = listed.values("template").annotate(n=Count("pk")).values("n")
        rows = rows.select_related("connection").defer("raw", "connection__credentials")
        return rows.annotate(steps=Coalesce(Subquery(counted), 0))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        buttons = []
        if self.request.user.has_perm("bot_campaigns.add_surveytemplate"):  # type: ignore[union-attr]
            new = {"url": reverse("bot:template_new"), "label": _g("New template"), "icon": "add"}
            buttons.append({**new, "primary": True})
        return super().get_context_data(
            buttons=buttons, empty_action=buttons[0] if buttons else None, **kwargs
        )


class NewSurvey(FormPage):
    permission = "bot_campaigns.add_surveytemplate"
    title = _("New survey template")
    crumbs = LIST
    form_class = NewTemplate
    submit = _("Create")
    lead = _(
        "AntBOT lets the name not be changed later. A short code is put behind it, by which it is found again"
        " if an answer is lost."
    )

    def back(self) -> str:
        return reverse("bot:templates")

    def save(self, form: DeskForm) -> str:
        return page_of(
            call_flows.create_template(**form.cleaned_data, by=self.request.user, nonce=self.nonce)
        )


class OfTemplate(Page):
    crumbs = LIST

    @cached_property
    def survey(self) -> Any:
        return row_or_404("templates", self.kwargs["pk"])


class TemplatePage(OfTemplate):
    permission = ("bot_campaigns.view_surveytemplate", "bot_campaigns.view_section")
    template_name = "bot_campaigns/template.html"

    def get_title(self) -> str:
        return str(self.survey.name)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user: Any = self.request.user
        survey = changes.with_edits([self.survey])[0]
        listed = Section.objects.filter(template=survey, gone_at__isnull=True).defer("raw")
        sections = changes.with_edits(listed.order_by("order", "id"))
        coming = Launch.objects.filter(template=survey, status__in=_COMING).order_by("-pk")
        return super().get_context_data(
            survey=survey,
            state=row_state(survey, survey.change),
            sections=[
                {
                    "row": row,
                    "type": call_flows.type_name(row.type),
                    "state": row_state(row, row.change),
                    "receipt": receipt_context(row.change, user),
                }
                for row in sections
            ],
            moving=any(row.change is not None and row.change.is_moving for row in sections),
            language=dict(call_flows.LANGUAGES).get(survey.language, survey.language),
            coming=[(link("bot:launch", row.pk), row.name) for row in coming.only("name")[:5]],
            may_add=user.has_perm("bot_campaigns.add_section"),
            may_edit=user.has_perm("bot_campaigns.change_section"),
            **receipt_context(changes.latest(survey), user),
            **kwargs,
        )


class NewSection(OfTemplate, FormPage):
    permission = "bot_campaigns.add_section"
    form_class = SectionForm
    submit = _("Add")
    lead = _(
        "It comes last. AntBOT documents no branching: what happens after a pressed key is set up there."
    )

    def get_title(self) -> str:
        return _g("Add a section to %s") % self.survey.name

    def back(self) -> str:
        return reverse("bot:template", args=[self.survey.pk])

    def save(self, form: DeskForm) -> str:
        call_flows.add_section(self.survey, **form.cleaned_data, by=self.request.user, nonce=self.nonce)
        return self.back()


class EditSection(FormPage):
    permission = "bot_campaigns.change_section"
    crumbs = LIST
    form_class = SectionForm
    submit = _("Save")
    lead = _("A campaign that was started speaks its own sealed copy: this changes what comes after.")

    @cached_property
    def section(self) -> Any:
        return row_or_404("sections", self.kwargs["pk"], "template")

    def get_title(self) -> str:
        return _g("Edit the section %s") % self.section.question

    def initial(self) -> dict[str, Any]:
        row = changes.with_edits([row_or_404("sections", self.section.pk)])[0]
        return {"question": row.question, "type": row.type, "script": row.script}

    def back(self) -> str:
        return reverse("bot:template", args=[self.section.template_id])

    def save(self, form: DeskForm) -> str:
        call_flows.edit_section(self.section, **form.cleaned_data, by=self.request.user)
        return self.back()


class GatewayList(ListPage):
    permission = "bot_campaigns.view_gateway"
    title = _("Gateways")
    noun = _("gateways")
    empty_text = _("No gateway was read yet. AntBOT's staff set them up.")
    template_name = "bot_campaigns/list.html"
    table_class = GatewayTable
    filterset_class = GatewayFilter

    def get_queryset(self) -> QuerySet[Gateway]:
        return Gateway.objects.order_by("name", "id")

    def with_related(self, rows: QuerySet[Gateway]) -> QuerySet[Gateway]:
        return rows.select_related("connection").defer("raw", "connection__credentials")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        words = _g("The lines by which calls go out. They are set up at AntBOT; here they are only read.")
        return super().get_context_data(intro=words, **kwargs)
