"""UI: the web page. Talks HTTP to the other three and knows nothing else."""
