// Package http serves the portal's public contract: the JSON API of
// spec/api.md, its OpenAPI 3.1 document, the readable docs and the event feed.
// It decodes, establishes who is asking, calls commands or projections, and
// encodes.
//
// It must not hold a rule or any SQL, and it never decides who may do what:
// domain/delegation does, asked by commands and by every query. errors.go is
// the only place that knows status codes. To add a route, look at services.go;
// the helpers it uses are in write.go and read.go. The pages are in http/portal.
package http
