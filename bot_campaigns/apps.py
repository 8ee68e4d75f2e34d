from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BotCampaignsConfig(AppConfig):
    name = "bot_campaigns"
    verbose_name = _("Campaigns")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from backoffice import home
        from backoffice.roles import register
        from bot_campaigns import accounts, contact_parts, roles
        from crm_bridge import offers

        accounts.register()
        contact_parts.register()
        register(roles.ROLES)
        home.register(
            home.Part("bot_campaigns.views.campaign_home.notices", "bot_campaigns.views.campaign_home.cards")
        )
        may = "bot_campaigns.add_launch"
        offers.register(offers.Offer(_("Call these…"), "call", may, listed="bot:launch_new"))
        offers.register(offers.Offer(_("Add to audience…"), "", may, selected="bot:launch_of_contacts"))
