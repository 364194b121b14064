"""One module per version of the schema, named by what it brought."""
