"""The accounts application: who may call, and how much. Knows nothing of proxyapp."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Access"
