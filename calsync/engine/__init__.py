"""Use cases over ports: pull, reconcile, commit, push. No vendor, no database, no wall clock.

A cycle is a generator that yields the blocking calls it needs and is sent their results, so
that one piece of code runs on a pool of threads (``worker``) and inline under a virtual clock
(tests, ``calsync sync``)."""
