window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  docExpansion: "list",
  filter: true,
  // The token stays in this page; a validator of another host is never asked.
  persistAuthorization: false,
  validatorUrl: null,
});
