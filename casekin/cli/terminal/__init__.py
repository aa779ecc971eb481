"""What the commands share: progress, errors, the search client."""
