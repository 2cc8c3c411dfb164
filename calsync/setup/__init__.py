"""What an admin does once, and again when something changed: settings, checks, mapping. Values and
texts; the verbs that show them are in ``cli``."""
