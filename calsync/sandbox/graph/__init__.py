"""The REST surface of the synthetic tenant: Entra's token endpoint and Graph v1.0 for calendars."""
