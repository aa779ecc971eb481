"""Upload of one or several images of a lesion."""
