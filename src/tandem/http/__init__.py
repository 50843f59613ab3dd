"""HTTP: routes, requests, problems, static files, the OpenAPI document. Knows no user and no database."""
