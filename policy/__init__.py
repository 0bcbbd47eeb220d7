"""What stands between a model's wish and its effect: rules that say whether a call may be made, and why."""
