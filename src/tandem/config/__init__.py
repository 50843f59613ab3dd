"""Settings: everything that an instance reads from its environment, in one place."""

from tandem.config.settings import Settings, SettingsError, load_settings

__all__ = ["Settings", "SettingsError", "load_settings"]
