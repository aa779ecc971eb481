"""State of a browser session, and the services as the page sees them."""
