"""Every history of a small world, not a sample: one room, two bookings, a few acts on each side,
at most one misfortune, and every order in which they can meet the steps of calsync.

The engine is the real one (``calsync.engine.cycle``), stepped call by call. Around it stands a
world of values: ``side`` (a booking platform or a calendar), ``store`` (calsync's database),
``process`` (the engine as an automaton), joined in ``world``. ``scope`` says what people do,
``oracle`` what must hold, ``search`` walks through all of it and counts, ``outcomes`` prints what
stands in the end.

    python -m smallscope            every scope, and docs/reference/outcomes.md anew
    python -m smallscope --quick    the subset that the tests run
"""
