"""Base of the buttons: what the services refuse is told in their words."""

from typing import ClassVar

from django.core.exceptions import ValidationError

from backoffice.pages import Action
from crm_bridge.services.contacts import NotWritable
from crm_bridge.validation import Invalid


class CrmAction(Action):
    refusals: ClassVar[tuple[type[Exception], ...]] = (ValidationError, NotWritable, Invalid)
