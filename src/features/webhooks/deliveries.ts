import { errorText } from '../../core/errors.ts'
import type { Database } from '../../platform/database/database.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { AddressGuard } from '../../platform/outbound/address-guard.ts'
import { createPoster } from '../../platform/outbound/post.ts'
import type { GroupHealth } from '../../platform/queue/index.ts'
import type { DeliveryQueue, WebhookRunClaim } from './delivery-queue.ts'
import { DeliveryRun, type Timing } from './delivery-run.ts'
import { endRun, enqueueRuns, lockWaiting } from './delivery-run-store.ts'
import { RETRY_SECONDS } from './retry.ts'
import type { SecretBox } from './secret-box.ts'
import { resealSecrets } from './secret-store.ts'

const TIMING: Timing = {
  retrySeconds: RETRY_SECONDS,
  pauseSeconds: { min: 5, max: 300 },
  timeoutMs: 15_000,
}

/**
 * Sends due deliveries to the webhooks until it is disposed. Sending and recording an attempt are not atomic: if the
 * process dies between them, the delivery is sent again with the same `webhook-id`.
 */
export async function startDeliveries(deps: {
  db: Database
  log: Logger
  queue: DeliveryQueue
  secrets: SecretBox
  guard: AddressGuard
  timing?: Timing
}): Promise<AsyncDisposable> {
  const { db, log, queue, secrets, guard, timing = TIMING } = deps
  await using stack = new AsyncDisposableStack()
  const poster = stack.use(createPoster({ guard, timeoutMs: timing.timeoutMs }))
  await resealSecrets(db, secrets, log)
  // Normally each of them has a run. The jobs may be missing, for example after restoring a backup without them.
  await db.transaction(async (transaction) => enqueueRuns(transaction, queue, await lockWaiting(transaction)))

  async function make(run: WebhookRunClaim, signal: AbortSignal): Promise<GroupHealth> {
    const work = new DeliveryRun({ db, log, secrets, poster, timing }, run.webhookId, signal)
    let health: GroupHealth = 'failing'
    let pauseSeconds = timing.pauseSeconds.min
    try {
      health = await work.make()
      pauseSeconds = work.pauseSeconds
    } catch (error) {
      log.debug({ webhookId: run.webhookId }, `webhook run aborted: ${errorText(error)}`)
    }
    await db.transaction((transaction) => endRun(transaction, queue, run, pauseSeconds))
    return health
  }

  stack.use(queue.work(make))
  return stack.move()
}
