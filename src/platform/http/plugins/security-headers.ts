import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/**
 * The headers of helmet that matter for a data response. They are constants because helmet builds the same strings
 * for each request: 13 µs against 1 µs. A test compares them with the output of helmet.
 */
const dataHeaders = {
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'SAMEORIGIN',
}

// No includeSubDomains: other services may run on subdomains of this host.
const STRICT_TRANSPORT_SECURITY = `max-age=${365 * 24 * 3600}`

/** Sets security headers on every response. Register it first, so that errors of other hooks have them too. */
export function registerSecurityHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    setSecurityHeaders(request, reply)
    done()
  })
}

/**
 * Sets the headers on one response. HSTS (RFC 6797) is sent only if the request came over TLS, as
 * `request.protocol` says: browsers ignore it over HTTP (section 7.2).
 */
export function setSecurityHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(dataHeaders)
  if (request.protocol === 'https') reply.header('strict-transport-security', STRICT_TRANSPORT_SECURITY)
}

/** Gives the routes of this scope their own Content-Security-Policy and the headers of helmet for pages. */
export function servePages(scope: FastifyInstance, contentSecurityPolicy: string): void {
  const headers = {
    'content-security-policy': contentSecurityPolicy,
    'cross-origin-opener-policy': 'same-origin',
    'origin-agent-cluster': '?1',
    'x-dns-prefetch-control': 'off',
    'x-download-options': 'noopen',
    'x-permitted-cross-domain-policies': 'none',
    'x-xss-protection': '0',
  }
  scope.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers)
    done()
  })
}
