"""Around Dash: its backend, outputs, threads and clientside callbacks."""
