"""HTTP: routes, requests, problems, static files, OpenAPI. This room knows neither users nor databases."""
