"""Contents of a store that lie elsewhere: in a bucket, or any other place that fsspec reaches by a URL."""
