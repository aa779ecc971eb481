"""HTTP headers of our own, part of the contract between services."""

USER_HEADER = "X-Casekin-User"
"""Who asks, as the page signed them in; services trust it from callers with the key."""
