"""Judge: two runs become a report of what differs. Pure."""
