"""The command line: one file a verb. ``main`` joins them."""
