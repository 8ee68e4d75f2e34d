from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class CrmBridgeConfig(AppConfig):
    name = "crm_bridge"
    verbose_name = _("Contacts")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from crm_bridge import (
            accounts,
            checks,  # noqa: F401  registers the system checks
            roles,
            search_index,
        )

        accounts.register()
        post_migrate.connect(search_index.after_migrate, sender=self, dispatch_uid="contact_search_index")
        post_migrate.connect(roles.after_migrate, sender=self, dispatch_uid="roles")
