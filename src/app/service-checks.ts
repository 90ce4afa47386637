import type { Check } from '../platform/http/plugins/health.ts'
import type { Services } from './services.ts'

const TIMEOUT_MS = 1_000

/** Returns the readiness checks: the database, which is required, and the configured optional services. */
export function serviceChecks({ db, redis, bus, intake, attachments }: Services) {
  const { storage } = attachments.checks
  const optional: Record<string, Check> = {
    ...(redis && { redis: () => redis.ping(TIMEOUT_MS) }),
    ...(bus && { nats: () => bus.ping(TIMEOUT_MS) }),
    ...(intake && { rabbitmq: () => intake.check() }),
    ...(storage && { storage: () => storage(TIMEOUT_MS) }),
  }
  return { required: { database: () => db.ping(TIMEOUT_MS) }, optional }
}
