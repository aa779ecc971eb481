"""Messages between the parts, grouped by the service that owns them."""
