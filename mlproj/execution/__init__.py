"""Run: a Task becomes an Execution, its output shown and recorded as it comes."""
