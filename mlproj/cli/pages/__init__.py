"""What commands show, as sections of text: a module for each thing that is shown."""
