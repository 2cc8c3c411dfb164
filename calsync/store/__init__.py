"""calsync's own database: tables, transactions, queries, migrations. The only home of SQL."""
