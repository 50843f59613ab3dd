"""The race: the same users through another design and through the running Tandem, side by side."""
