"""Read: the author's files become a Project, and every error names its file and line."""
