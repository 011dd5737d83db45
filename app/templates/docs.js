SwaggerUIBundle({
  url: "{{ url_for('openapi') }}",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null, // its default sends the description to another host
});
