"""Search: matches, neighbour statistics, steering by cases."""
