"""The service kit: what every Casekin service has and none should write again."""
