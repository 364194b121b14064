"""Who comes to a server: what they show, whether it is good, and what is written down of what they do."""
