"""`casekin up`: all services of one machine as separate processes under one launcher."""
