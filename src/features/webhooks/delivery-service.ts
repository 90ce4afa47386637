import { randomUUID } from 'node:crypto'
import { scopeOf } from '../../core/access-scope.ts'
import type { Actor } from '../../core/actor.ts'
import { DomainError } from '../../core/errors.ts'
import { mayReceive } from '../../events/audience.ts'
import type { Database, Queryable, Transaction } from '../../platform/database/database.ts'
import type { DeliveryQueue } from './delivery-queue.ts'
import { enqueueRuns } from './delivery-run-store.ts'
import type { ListDeliveries } from './delivery-schemas.ts'
import { findDelivery, insertDelivery, listDeliveries, restartDelivery } from './delivery-store.ts'
import { type Delivery, TEST_TYPE, type Webhook } from './webhook.ts'
import { authorizeSending, webhookToChange, webhookToRead } from './webhook-access.ts'

export interface DeliveryService {
  /** Newest first. */
  list(actor: Actor, webhookId: number, page: ListDeliveries): Promise<Delivery[]>
  /** Includes the event, or null if the actor may not read it. */
  get(actor: Actor, webhookId: number, id: number): Promise<Delivery & { event: object | null }>
  /** Sends a delivery again now, whatever its state. */
  redeliver(actor: Actor, webhookId: number, id: number): Promise<Delivery>
  /** Sends a test message, which is not an event. */
  test(actor: Actor, webhookId: number): Promise<Delivery>
}

/**
 * Creates the service of the delivery log on a database or, if `transaction` joins one, on a transaction. Wake the
 * queue after a commit that enqueued a run.
 */
export function createDeliveryService(
  db: Queryable,
  deps: { transaction: Database['transaction']; queue: Pick<DeliveryQueue, 'enqueue'> },
): DeliveryService {
  const { transaction: within, queue } = deps

  async function enabledWebhook(transaction: Transaction, actor: Actor, id: number): Promise<Webhook> {
    const webhook = await webhookToChange(transaction, actor, id)
    if (!webhook.enabled) throw new DomainError('conflict', `Webhook ${id} is disabled; enable it first.`)
    return webhook
  }

  async function withRun(transaction: Transaction, delivery: Delivery): Promise<Delivery> {
    await enqueueRuns(transaction, queue, [delivery.webhook_id])
    return delivery
  }

  return {
    async list(actor, webhookId, { before, limit, state }) {
      await webhookToRead(db, actor, webhookId)
      return listDeliveries(db, webhookId, { before, limit, state })
    },
    async get(actor, webhookId, id) {
      await webhookToRead(db, actor, webhookId)
      const { body, audience, ...delivery } = found(id, await findDelivery(db, webhookId, id))
      // A former admin's webhook may have deliveries about other users' resources.
      return { ...delivery, event: mayReceive(scopeOf(actor), audience) ? JSON.parse(body) : null }
    },
    async redeliver(actor, webhookId, id) {
      authorizeSending(actor)
      return within(async (transaction) => {
        await enabledWebhook(transaction, actor, webhookId)
        return withRun(transaction, found(id, await restartDelivery(transaction, webhookId, id)))
      })
    },
    async test(actor, webhookId) {
      authorizeSending(actor)
      return within(async (transaction) => {
        const { user_id: userId } = await enabledWebhook(transaction, actor, webhookId)
        const message = { webhookId, userId, eventId: `test_${randomUUID()}`, type: TEST_TYPE }
        const at = new Date().toISOString().replace('Z', '000Z')
        const body = JSON.stringify({
          id: message.eventId,
          type: TEST_TYPE,
          at,
          data: { webhook_id: webhookId },
        })
        return withRun(transaction, await insertDelivery(transaction, { ...message, body }))
      })
    },
  }
}

function found<T>(id: number, delivery: T | undefined): T {
  if (delivery === undefined) throw new DomainError('not-found', `Delivery ${id} does not exist.`)
  return delivery
}
