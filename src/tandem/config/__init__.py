"""Settings: everything an instance can be told from its environment, in one place."""

from tandem.config.settings import Settings, SettingsError, load_settings

__all__ = ["Settings", "SettingsError", "load_settings"]
