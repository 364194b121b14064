"""The verbs, one module each, speaking only to ports."""
