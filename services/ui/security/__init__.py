"""Sign-in, passwords and request checks of the page."""
