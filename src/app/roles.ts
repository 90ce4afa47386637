import { type EventConsumer, startConsumers } from '../events/event-consumers.ts'
import { purgeEvents } from '../events/outbox.ts'
import { currencyMessage, purgeRateMessages, rateReceiver } from '../features/currencies/index.ts'
import { startBackfill, startImportSchedule } from '../features/imports/index.ts'
import { purgeTrash } from '../features/tasks/index.ts'
import { purgeTaskMessages as purgeTaskInbox } from '../features/tasks/jobs/index.ts'
import { purgeDeliveries, startDeliveries, webhookConsumer } from '../features/webhooks/index.ts'
import { keepStatistics } from '../platform/database/statistics.ts'
import { purgeIdempotencyKeys } from '../platform/idempotency/idempotency-keys.ts'
import { startPurgeSchedule } from '../platform/queue/index.ts'
import type { Services } from './services.ts'

/** Starts the role `scheduler`: imports and purges on schedule. */
export async function startSchedulerRole(parts: Services): Promise<AsyncDisposable> {
  const { config, log, db, auth, attachments, queues, runner, importers } = parts
  await using stack = new AsyncDisposableStack()
  await startPurgeSchedule({
    queues,
    log,
    purges: {
      events: (limit) => purgeEvents(db, config.EVENT_RETENTION_DAYS, limit),
      trash: (limit) => purgeTrash(db, config.TRASH_DAYS, limit),
      webhookDeliveries: (limit) => purgeDeliveries(db, config.EVENT_RETENTION_DAYS, limit),
      taskMessages: (limit) => purgeTaskInbox(db, limit),
      rateMessages: (limit) => purgeRateMessages(db, limit),
      attachments: (limit) => attachments.files.purge(limit),
      keys: (limit) => purgeIdempotencyKeys(db, limit),
      ...auth.purges,
    },
  })
  stack.use(keepStatistics(db, log))
  for (const importer of importers) await runner.closeCutOff(importer)
  if (config.IMPORTS === 'on') {
    stack.use(await startImportSchedule({ queues, runner, importers, log }))
    const { CBR_URL: url, CURRENCY_BACKFILL_DAYS: days } = config
    if (days > 0) stack.use(await startBackfill({ queues, db, log, url, days }))
  }
  return stack.move()
}

/** Starts the role `worker`: background jobs. */
export async function startWorkerRole({ db, log, sending, weatherFill }: Services): Promise<AsyncDisposable> {
  await weatherFill?.work()
  return await startDeliveries({ db, log, ...sending })
}

/** Starts the role `relay`: events for webhooks and NATS, and messages from brokers. */
export async function startRelayRole(parts: Services): Promise<AsyncDisposable> {
  const { db, log, stream, sending, bus, changed } = parts
  await using stack = new AsyncDisposableStack()
  const feeds: EventConsumer[] = [webhookConsumer({ db, queue: sending.queue })]
  if (bus) {
    feeds.push(bus.consumer(currencyMessage))
    stack.use(bus.listen(rateReceiver({ db, log, changed })))
  }
  stack.use(await startConsumers({ db, log, stream, feeds }))
  return stack.move()
}
