"""The feed of events: all logs in one order that skips nothing, for whoever keeps another store in step."""
