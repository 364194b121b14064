"""The wire format: one struct for every request and answer of MLflow's REST API, and the way to the nouns."""
