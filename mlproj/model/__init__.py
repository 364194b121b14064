"""The nouns: a Project that somebody wrote, a Plan that is decided, a Run that happened. Pure values."""
