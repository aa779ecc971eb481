"""Search: cases, filters, nearest neighbours, neighbour statistics."""
