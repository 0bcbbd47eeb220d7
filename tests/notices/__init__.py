"""Who is told, and what becomes of it."""
