"""A deed that asks first: in a dialog over the page, or on a page of its own without scripts.

GET shows what will happen in numbers and names, POST does it. What was refused is told
on the same question, with everything that was typed still in it.
"""

from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from backoffice.pages import Page, safe_next

DIALOG = "ask"
"""Id of the dialog that ``backoffice.js`` opens for links with ``data-ask``."""


class Question(Page):
    """Subclasses say what is asked (``ask``) and do it (``act``)."""

    template_name = "backoffice/question.html"
    body_name = "backoffice/question_body.html"
    back_to = "admin:index"
    refusals: ClassVar[tuple[type[Exception], ...]] = (ValidationError,)
    """What ``act`` raises to say no; its message is shown and nothing was changed."""

    def ask(self) -> dict[str, Any]:
        """``question``, ``text``, ``facts``, ``names``, ``inputs``, ``submit``, ``danger``; ``blocked`` says
        why it cannot be done now: then there is no button."""
        raise NotImplementedError

    def act(self) -> str:
        """Do it; returns what to tell."""
        raise NotImplementedError

    @property
    def back(self) -> str:
        wanted = self.request.POST.get("next") or self.request.GET.get("next") or ""
        return safe_next(self.request, wanted) or self.default_back()

    def default_back(self) -> str:
        return reverse(self.back_to)

    def after(self) -> str:
        """Where a deed that was done leads."""
        return self.back

    def get_title(self) -> str:
        return str(self.title)

    def get_template_names(self) -> list[str]:
        htmx: Any = self.request.htmx  # type: ignore[attr-defined]
        return [self.body_name if htmx and htmx.target == DIALOG else self.template_name]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            **{"action": self.request.path, "back": self.back, "body_name": self.body_name, **kwargs}
        )

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(**self.ask()))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            messages.success(request, self.act())
        except self.refusals as refused:
            return self.refuse(refused)
        return HttpResponseRedirect(self.after())

    def refuse(self, refused: Exception) -> HttpResponse:
        """The question again, with the reason on top."""
        words = " ".join(getattr(refused, "messages", [str(refused)]))
        return self.render_to_response(self.get_context_data(**{**self.ask(), "error": words}), status=422)
