"""calsync under one seed: engine, store and adapters as they are, against the sandbox.

``python -m simulation`` runs histories: people act on both sides, everything of the list in
``faults`` goes wrong, then all is well again, both sides come to rest, and ``judge`` looks at the
two stores and at what people did. Nothing of calsync is replaced but the network, the clock,
waiting, chance and names (``calsync.bootstrap.Surroundings``).

A further calendar system joins by being listed in ``company.CALENDARS``, a further database in
``company.DATABASES``.
"""
