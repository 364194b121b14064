"""What each route does: a request goes in, one call of a port is made, an answer comes out."""
