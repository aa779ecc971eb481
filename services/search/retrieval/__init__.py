"""From a search request to matches and neighbour statistics."""
