"""What calsync is made of: advisories, licences and the list of its parts, all from the lock.

``make audit``, ``make sbom``.
"""
