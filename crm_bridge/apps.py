from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class CrmBridgeConfig(AppConfig):
    name = "crm_bridge"
    verbose_name = _("Contacts")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from backoffice import home
        from backoffice.roles import after_migrate, register
        from crm_bridge import (
            accounts,
            checks,  # noqa: F401  registers the system checks
            roles,
            search_index,
        )

        accounts.register()
        register(roles.ROLES)
        home.register(home.Part("crm_bridge.views.home.attention", "crm_bridge.views.home.cards"))
        post_migrate.connect(search_index.after_migrate, sender=self, dispatch_uid="contact_search_index")
        post_migrate.connect(after_migrate, sender=self, dispatch_uid="roles")
