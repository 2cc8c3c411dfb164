"""Long and rough runs of the real ``calsync serve`` against the sandbox over HTTP, in real time.

``python -m soak.kills`` kills the process hundreds of times, at random and at aimed moments.
``python -m soak`` lets two hundred rooms work for minutes or days under faults, and measures.
Both are judged by both stores and the log of acts (``calsync.demo.judge``), never by calsync's
own records. How to run and read them: docs/explanation/measuring.md.
"""
