"""The product's application: connects every configuration change to the version that the workers watch."""

from django.apps import AppConfig


class ProxyappConfig(AppConfig):
    name = "proxyapp"
    verbose_name = "Gateway"

    def ready(self) -> None:
        from gateway import checks  # noqa: F401 - registers the system checks
        from proxyapp.models.config import watch_changes

        watch_changes()
