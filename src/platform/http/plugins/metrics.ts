import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../../metrics/index.ts'

/** Upper bounds of the histogram, in seconds: from a cached response to a client's timeout. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]

/** Measures every response by method, route and status. Unmatched paths share the route `none`. */
export function registerHttpMetrics(app: FastifyInstance, metrics: Metrics): void {
  const name = 'taskwire_http_request_duration_seconds'
  const seconds = new Map<string, { observe(value: number): void }>()
  app.addHook('onResponse', (request, reply, done) => {
    const { method, routeOptions, is404 } = request
    const route = is404 ? 'none' : (routeOptions.url ?? 'none')
    const key = `${method} ${reply.statusCode} ${route}`
    let histogram = seconds.get(key)
    if (!histogram) {
      const labels = { method, route, status: String(reply.statusCode) }
      histogram = metrics.histogram(name, 'Time to answer a request, in seconds.', BOUNDS, labels)
      seconds.set(key, histogram)
    }
    histogram.observe(reply.elapsedTime / 1000)
    done()
  })
}
