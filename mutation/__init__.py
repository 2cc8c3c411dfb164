"""Mutation testing of the pure core: does some test fail when one piece of its logic is wrong?

A *mutant* is the code with one small change: ``<`` for ``<=``, a dropped statement, an arm of a
``match`` that is gone. A mutant is *killed* where a test fails (or never ends); one that no
test notices *survives*, and points at a missing test, at code that does nothing, or, rarely, at
a change that makes no difference (it is *equivalent*). A mutant meets tests worth a few seconds
at most, the most promising first: what only a long run would catch counts as survived.

``make mutation`` (``PACKAGE=pacing JOBS=2``) mutates ``calsync.pacing``, ``conflicts``,
``reconcile`` and ``mapping`` and runs the fast pure tests. It fails where the score is below 90 %
or a survivor is not explained in ``survivors.toml``. Why a tool of our own: docs/adr/0010.

==============  ===========================================================================
``operators``   the changes: mutants of a syntax tree
``source``      a module, its functions and its mutants; a mutant put into the running code
``trace``       which lines each test runs, so that a mutant meets only tests that can see it
``session``     pytest held open: one process that has collected, one fork for each mutant
``results``     what became of each mutant, kept so that only what changed is run again
``survivors``   the explained survivors, the score and the verdict
==============  ===========================================================================
"""
