import { randomUUID } from 'node:crypto'
import { scopeOf } from '../../core/access-scope.ts'
import type { Actor } from '../../core/actor.ts'
import { DomainError } from '../../core/errors.ts'
import { mayReceive } from '../../events/audience.ts'
import type { Database, Queryable, Transaction } from '../../platform/database/database.ts'
import type { DeliveryQueue } from './delivery-queue.ts'
import { bookRuns } from './delivery-run-store.ts'
import type { ListDeliveries } from './delivery-schemas.ts'
import { findDelivery, insertDelivery, listDeliveries, restartDelivery } from './delivery-store.ts'
import { type Delivery, TEST_TYPE, type Webhook } from './webhook.ts'
import { authorizeSending, webhookToChange, webhookToRead } from './webhook-access.ts'

export interface DeliveryService {
  /** Newest first. */
  list(actor: Actor, webhookId: number, page: ListDeliveries): Promise<Delivery[]>
  /** With what is sent, where the actor may read that. */
  get(actor: Actor, webhookId: number, id: number): Promise<Delivery & { event: object | null }>
  /** Sends it now, whatever became of it before. */
  redeliver(actor: Actor, webhookId: number, id: number): Promise<Delivery>
  /** Sends a message that is no event. */
  test(actor: Actor, webhookId: number): Promise<Delivery>
}

/**
 * The log of deliveries, on a database or, where `transaction` joins it, on a transaction of it. After a
 * commit in which something was booked, wake the queue.
 */
export function createDeliveryService(
  db: Queryable,
  deps: { transaction: Database['transaction']; queue: Pick<DeliveryQueue, 'book'> },
): DeliveryService {
  const { transaction: within, queue } = deps

  async function enabledWebhook(transaction: Transaction, actor: Actor, id: number): Promise<Webhook> {
    const webhook = await webhookToChange(transaction, actor, id)
    if (!webhook.enabled) throw new DomainError('conflict', `Webhook ${id} is disabled; enable it first.`)
    return webhook
  }

  async function booked(transaction: Transaction, delivery: Delivery): Promise<Delivery> {
    await bookRuns(transaction, queue, [delivery.webhook_id])
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
        return booked(transaction, found(id, await restartDelivery(transaction, webhookId, id)))
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
        return booked(transaction, await insertDelivery(transaction, { ...message, body }))
      })
    },
  }
}

function found<T>(id: number, delivery: T | undefined): T {
  if (delivery === undefined) throw new DomainError('not-found', `There is no delivery ${id} here.`)
  return delivery
}
