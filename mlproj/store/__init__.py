"""Record: runs, blobs and the chain of sealed records, on disk."""
