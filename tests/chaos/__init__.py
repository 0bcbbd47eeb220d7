"""Everything is killed at every moment there is, and then at random: `make chaos`, told in docs/chaos.md."""
