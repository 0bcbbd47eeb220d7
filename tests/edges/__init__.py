"""Settings, telemetry and services."""
