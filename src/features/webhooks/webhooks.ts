import { DomainError } from '../../core/errors.ts'
import type { Database, Queryable } from '../../platform/database/database.ts'
import { createWriter, type Write } from '../../platform/http/idempotent-writer.ts'
import type { AddressGuard } from '../../platform/outbound/address-guard.ts'
import type { DeliveryQueue } from './delivery-queue.ts'
import { createDeliveryService } from './delivery-service.ts'
import type { SecretBox } from './secret-box.ts'
import type { WebhookServices } from './webhook-routes.ts'
import { createWebhookService } from './webhook-service.ts'

/** Creates the services of webhooks and deliveries, and the idempotent writer of their routes. */
export function createWebhooks(deps: {
  db: Database
  queue: DeliveryQueue
  secrets: SecretBox
  guard: AddressGuard
  settled: () => Promise<number>
}): WebhookServices & { write: Write<WebhookServices> } {
  const { db, queue, ...rest } = deps
  const on = (handle: Queryable, transaction: Database['transaction']): WebhookServices => ({
    webhooks: createWebhookService(handle, { transaction, queue, ...rest }),
    deliveries: createDeliveryService(handle, { transaction, queue }),
  })
  const direct = on(db, async (work) => {
    const result = await db.transaction(work)
    queue.wake()
    return result
  })
  const write = createWriter({
    db,
    direct,
    on: (transaction) => on(transaction, (work) => work(transaction)),
    onCommit: () => queue.wake(),
    actions: ['webhook.change', 'event.read'],
    // Some responses contain a secret, so stored responses are encrypted.
    keeping: { hide: (body) => hidden(rest.secrets, body), show: (kept) => shown(rest.secrets, kept) },
  })
  return { ...direct, write }
}

function hidden(secrets: SecretBox, body: unknown): string {
  return secrets.seal(JSON.stringify(body)).toString('base64')
}

function shown(secrets: SecretBox, kept: unknown): unknown {
  const text = secrets.open(Buffer.from(String(kept), 'base64'))
  if (text !== undefined) return JSON.parse(text)
  throw new DomainError(
    'conflict',
    'The request was carried out, but its stored response cannot be decrypted since SECRET_KEY changed.',
  )
}
