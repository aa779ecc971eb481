"""What Dash needs around it: backend, threads, clientside callbacks."""
