"""How each version of the schema is made from the one before."""
