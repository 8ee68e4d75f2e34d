from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BotCampaignsConfig(AppConfig):
    name = "bot_campaigns"
    verbose_name = _("Campaigns")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from backoffice.roles import register
        from bot_campaigns import accounts, contact_parts, roles

        accounts.register()
        contact_parts.register()
        register(roles.ROLES)
