import type { Actor } from '../../core/actor.ts'
import { authorize } from '../../core/authorization.ts'
import { DomainError } from '../../core/errors.ts'
import type { Queryable, Transaction } from '../../platform/database/database.ts'
import type { Webhook } from './webhook.ts'
import { findWebhook, lockWebhook } from './webhook-store.ts'

/** Throws unless the actor may send events to a URL, which requires the right to read events. */
export function authorizeSending(actor: Actor): void {
  authorize(actor, 'webhook.change')
  authorize(actor, 'event.read')
}

/** Returns a webhook; throws if it does not exist or the actor may not read it. */
export async function webhookToRead(db: Queryable, actor: Actor, id: number): Promise<Webhook> {
  authorize(actor, 'webhook.read')
  const webhook = found(id, await findWebhook(db, id))
  authorize(actor, 'webhook.read', webhook)
  return webhook
}

/** Returns a webhook locked until the transaction ends; throws if the actor may not change it. */
export async function webhookToChange(transaction: Transaction, actor: Actor, id: number): Promise<Webhook> {
  authorize(actor, 'webhook.change')
  const webhook = found(id, await lockWebhook(transaction, id))
  authorize(actor, 'webhook.change', webhook)
  return webhook
}

function found(id: number, webhook: Webhook | undefined): Webhook {
  if (!webhook) throw new DomainError('not-found', `Webhook ${id} does not exist.`)
  return webhook
}
