"""The process: the story of an agent, told in `agent.py`."""
