"""The page as a whole: head, tabs, collection state."""
