from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class BackofficeConfig(AppConfig):
    name = "backoffice"
    default = True
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from backoffice import celery, checks  # noqa: F401  tasks find their app, checks register


class ShellConfig(admin_apps.AdminConfig):
    """Django's admin with our site in its place."""

    default = False
    default_site = "backoffice.shell.BackofficeSite"
