import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { DomainError } from '../../../core/errors.ts'
import { addressKey, type RateLimiter, type Verdict } from '../../rate-limit/index.ts'

/** Probes, and pages that load many files. */
const unlimited = /^\/(?:health(?:\/ready)?|openapi\.json|(?:docs|swagger|redoc)(?:\/[^?]*)?)\/?(?:\?|$)/

/**
 * Limits the requests of each user, and of each address without a user, and tells where they stand
 * (draft-ietf-httpapi-ratelimit-headers). Registered after the hook that sets `request.actor`; without
 * a limiter nothing is limited.
 */
export function registerRateLimit(
  app: FastifyInstance,
  { limiter }: { limiter: RateLimiter | undefined },
): void {
  if (!limiter) return
  const policy = `"default";q=${limiter.points};w=${limiter.seconds}`
  app.addHook('onRequest', (request, reply, done) => {
    const key = callerKey(request)
    if (key === undefined || unlimited.test(request.url)) return done()
    const told = (verdict: Verdict) => {
      tell(reply, policy, verdict)
      done(verdict.allowed ? undefined : refusal(limiter, verdict))
    }
    limiter.consume(key).then(told, done)
  })
}

function callerKey({ actor, ip }: FastifyRequest): string | undefined {
  if (actor.kind === 'operator') return undefined
  return actor.kind === 'user' ? `user:${actor.id}` : `address:${addressKey(ip)}`
}

function tell(reply: FastifyReply, policy: string, { remaining, resetSeconds }: Verdict): void {
  reply.header('ratelimit-policy', policy)
  reply.header('ratelimit', `"default";r=${remaining};t=${resetSeconds}`)
}

function refusal({ points, seconds }: RateLimiter, { resetSeconds }: Verdict): DomainError {
  const detail = `More than ${points} requests in ${seconds} s; come again in ${resetSeconds} s.`
  return new DomainError('too-many-requests', detail, { headers: { 'retry-after': String(resetSeconds) } })
}
