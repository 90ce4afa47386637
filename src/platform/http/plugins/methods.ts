import type { FastifyContextConfig, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import findMyWay, { type HTTPMethod } from 'find-my-way'
import { DomainError } from '../../../core/errors.ts'

/** The registered paths; each maps its methods to the options of the route. */
export type RegisteredRoutes = ReadonlyMap<string, ReadonlyMap<string, { config?: FastifyContextConfig }>>

/** Returns the `config` of the route that a request is for. */
export type RouteConfigOf = (request: FastifyRequest) => FastifyContextConfig

/** Answers a request that no route matches. */
export type UnmatchedHandler = (request: FastifyRequest, reply: FastifyReply) => unknown

type Methods = Map<string, { config?: FastifyContextConfig }>

/**
 * Answers 404 for an unknown path and 405 for a known path with an unsupported method, and answers OPTIONS.
 * Returns the routes that are registered afterwards. `configOf` returns the `config` of the first route
 * of the path if no route supports the method.
 */
export function registerMethods(app: FastifyInstance): {
  routes: RegisteredRoutes
  configOf: RouteConfigOf
  answerUnmatched: UnmatchedHandler
} {
  const paths = findMyWay({ ignoreTrailingSlash: true })
  const routes = new Map<string, Methods>()
  app.addHook('onRoute', (route) => {
    let methods = routes.get(route.url)
    if (!methods) {
      methods = new Map()
      routes.set(route.url, methods)
      // GET stands for every method in this router; the map has the real ones.
      paths.on('GET' as HTTPMethod, route.url, () => {}, methods)
    }
    // A hook of an inner scope may replace `route.config` later, so the whole route is kept.
    for (const method of [route.method].flat()) methods.set(method, route)
  })
  const methodsOf = (path: string) => paths.find('GET', path)?.store as Methods | undefined

  const answerUnmatched: UnmatchedHandler = (request, reply) => {
    const path = pathOf(request)
    const methods = methodsOf(path)
    // A wildcard route for static files matches before it is known whether the file exists.
    if (!methods || methods.has(request.method)) {
      // The response to HEAD has the length of the response to GET (RFC 9110, section 9.3.2).
      const method = request.method === 'HEAD' ? 'GET' : request.method
      throw new DomainError('not-found', `No route ${method} ${path.slice(0, 200)}. See /docs.`)
    }
    const allow = [...methods.keys(), 'OPTIONS'].sort().join(', ')
    if (request.method === 'OPTIONS') return reply.code(204).header('allow', allow).send()
    throw new DomainError('method-not-allowed', `${path} supports ${allow}.`, { headers: { allow } })
  }
  app.setNotFoundHandler(answerUnmatched)

  return {
    routes,
    answerUnmatched,
    configOf: (request) => {
      const { config } = request.routeOptions
      if (!request.is404) return config
      const [first] = methodsOf(pathOf(request))?.values() ?? []
      return first ? (first.config ?? {}) : config
    },
  }
}

function pathOf({ url }: FastifyRequest): string {
  return url.split('?', 1)[0]!
}
