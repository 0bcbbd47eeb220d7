"""The embedded system: Temporal, PostgreSQL with Message DB, and a scripted model, started on this machine."""
