"""Files of the projector: results of jobs, names of dimensions."""
