import type { FastifyInstance, HTTPMethods } from 'fastify'
import findMyWay, { type HTTPMethod } from 'find-my-way'
import { DomainError } from '../../../core/errors.ts'

/**
 * Tells an unknown path (404) from a known one asked with another method (405), and answers OPTIONS.
 * Returns the methods of each path that is registered after it.
 */
export function registerMethods(app: FastifyInstance): ReadonlyMap<string, ReadonlySet<string>> {
  const paths = findMyWay({ ignoreTrailingSlash: true })
  const methodsOf = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    let methods = methodsOf.get(url)
    if (!methods) {
      methods = new Set()
      methodsOf.set(url, methods)
      // One method stands for the path here; the set has all of them.
      paths.on('GET' as HTTPMethod, url, () => {}, methods)
    }
    for (const one of [method].flat()) methods.add(one as HTTPMethods)
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0]!
    const methods = paths.find('GET', path)?.store as Set<string> | undefined
    // The path of a static file is known before it is known whether the file is there.
    if (!methods || methods.has(request.method))
      throw new DomainError('not-found', `There is nothing at ${path.slice(0, 200)}.`)
    const allow = [...methods, 'OPTIONS'].sort().join(', ')
    if (request.method === 'OPTIONS') return reply.code(204).header('allow', allow).send()
    throw new DomainError('method-not-allowed', `${path} takes ${allow}.`, { headers: { allow } })
  })
  return methodsOf
}
