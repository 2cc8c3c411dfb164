"""The EWS front of the sandbox: SOAP over HTTP, as Exchange Server speaks it."""
