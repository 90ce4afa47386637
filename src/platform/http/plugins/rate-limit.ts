import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { DomainError } from '../../../core/errors.ts'
import { addressKey, type RateLimiter, type Verdict } from '../../rate-limit/index.ts'
import type { RouteConfigOf } from './methods.ts'

/**
 * Limits the requests of each user, and of each address without a user, and reports the remaining quota
 * (draft-ietf-httpapi-ratelimit-headers). Skips routes with `isRateLimited: false`. Register it after the hook
 * that sets `request.actor`. Without a limiter nothing is limited.
 */
export function registerRateLimit(
  app: FastifyInstance,
  { limiter, configOf }: { limiter: RateLimiter | undefined; configOf: RouteConfigOf },
): void {
  if (!limiter) return
  const policy = `"default";q=${limiter.points};w=${limiter.seconds}`
  app.addHook('onRequest', (request, reply, done) => {
    const key = callerKey(request)
    if (key === undefined || configOf(request).isRateLimited === false) return done()
    const onVerdict = (verdict: Verdict) => {
      setRateLimitHeaders(reply, policy, verdict)
      done(verdict.allowed ? undefined : refusal(limiter, verdict))
    }
    limiter.consume(key).then(onVerdict, done)
  })
}

function callerKey({ actor, ip }: FastifyRequest): string | undefined {
  if (actor.kind === 'operator') return undefined
  return actor.kind === 'user' ? `user:${actor.id}` : `address:${addressKey(ip)}`
}

function setRateLimitHeaders(
  reply: FastifyReply,
  policy: string,
  { remaining, resetSeconds }: Verdict,
): void {
  reply.header('ratelimit-policy', policy)
  reply.header('ratelimit', `"default";r=${remaining};t=${resetSeconds}`)
}

function refusal({ points, seconds }: RateLimiter, { resetSeconds }: Verdict): DomainError {
  const detail = `More than ${points} requests in ${seconds} s. Retry in ${resetSeconds} s.`
  return new DomainError('too-many-requests', detail, { headers: { 'retry-after': String(resetSeconds) } })
}
