import { DomainError, errorText } from '../../core/errors.ts'
import { withoutCredentials } from '../../core/redacted-url.ts'
import { attachmentStorage } from '../../features/attachments/index.ts'
import type { Config } from '../../platform/config/config.ts'
import { probeNats } from '../../platform/messaging/nats/index.ts'
import { probeRabbitMq } from '../../platform/messaging/rabbitmq/index.ts'
import { probeRedis } from '../../platform/redis/probe.ts'
import { adviceFor, type Finding, failure, inTime, ok, PATIENCE_MS, warning } from './finding.ts'
import { silent } from './silent.ts'

/** It can be used, but not for all it is for. */
class Lack extends Error {}

/** A configured service and the probe that checks it. */
interface Service {
  check: string
  name: string
  setting: string
  /** Without credentials. */
  place: string
  /** Rejects with the reason why it cannot be used, or with a Lack. */
  probe: (signal: AbortSignal) => Promise<unknown>
}

/** Each service that is configured. */
export function checkServices(config: Config): Promise<Finding>[] {
  return servicesOf(config).map(checkService)
}

async function checkService({ check, name, setting, place, probe }: Service): Promise<Finding> {
  try {
    await inTime(probe)
    return ok(check, `${name} answers at ${place}`)
  } catch (thrown) {
    if (thrown instanceof Lack)
      return warning(check, `${name} at ${place} ${thrown.message}`, 'start nats-server with --jetstream')
    const error = thrown instanceof DomainError ? thrown.cause : thrown
    return failure(
      check,
      `${name} at ${place} cannot be used: ${errorText(error)}`,
      adviceFor(error, name, setting),
    )
  }
}

function servicesOf(config: Config): Service[] {
  const { REDIS_URL, RABBITMQ_URL, S3_BUCKET, natsUrl } = config
  const services: Service[] = []
  if (REDIS_URL) {
    services.push({
      ...{ check: 'redis', name: 'Redis', setting: 'REDIS_URL', place: withoutCredentials(REDIS_URL) },
      probe: (signal) => probeRedis(REDIS_URL, signal),
    })
  }
  if (natsUrl) {
    const setting = config.NATS_URL ? 'NATS_URL' : 'NATS_HOST'
    services.push({
      ...{ check: 'nats', name: 'NATS', setting, place: withoutCredentials(natsUrl) },
      probe: async (signal) => {
        const { jetstream } = await probeNats(natsUrl, signal)
        if (!jetstream) throw new Lack('has no JetStream: who is away loses events')
      },
    })
  }
  if (RABBITMQ_URL) {
    services.push({
      ...{
        check: 'rabbitmq',
        name: 'RabbitMQ',
        setting: 'RABBITMQ_URL',
        place: withoutCredentials(RABBITMQ_URL),
      },
      probe: (signal) => probeRabbitMq(RABBITMQ_URL, signal),
    })
  }
  if (S3_BUCKET) {
    const endpoint = config.S3_ENDPOINT ? withoutCredentials(config.S3_ENDPOINT) : 'AWS'
    services.push({
      ...{ check: 's3', name: `the bucket ${S3_BUCKET}`, setting: 'the settings of S3', place: endpoint },
      async probe() {
        await using storage = attachmentStorage(config, silent)
        await storage.check(PATIENCE_MS)
      },
    })
  }
  return services
}
