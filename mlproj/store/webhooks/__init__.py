"""Tell: whom what happened in a store is told to, and what is on its way to them."""
