"""The frozen floor: the service's statements as they once were. Nothing here may change."""
