// No validator badge: it would ask a server on the internet.
SwaggerUIBundle({
  url: "/api-json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
