"""Hand over: a run in the forms that others keep and read."""
