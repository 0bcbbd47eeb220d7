"""The agent as a process, on a real Temporal, a real log and the real wire to the model."""
