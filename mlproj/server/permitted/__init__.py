"""The ports as somebody may see them: what is another's is not there, and what may only be read stays."""
