"""The page as a whole: header, tabs, sources, state of collection and services."""
