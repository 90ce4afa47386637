import type { Actor } from '../../core/actor.ts'
import { authorize } from '../../core/authorization.ts'
import { DomainError } from '../../core/errors.ts'
import type { Queryable, Transaction } from '../../platform/database/database.ts'
import type { Webhook } from './webhook.ts'
import { findWebhook, lockWebhook } from './webhook-store.ts'

/** Throws unless the actor may have events sent somewhere: who may not read them may not do that either. */
export function authorizeSending(actor: Actor): void {
  authorize(actor, 'webhook.change')
  authorize(actor, 'event.read')
}

/** A webhook that the actor may read. */
export async function webhookToRead(db: Queryable, actor: Actor, id: number): Promise<Webhook> {
  authorize(actor, 'webhook.read')
  const webhook = found(id, await findWebhook(db, id))
  authorize(actor, 'webhook.read', webhook)
  return webhook
}

/** A webhook that the actor may change, and that nobody else changes until the transaction ends. */
export async function webhookToChange(transaction: Transaction, actor: Actor, id: number): Promise<Webhook> {
  authorize(actor, 'webhook.change')
  const webhook = found(id, await lockWebhook(transaction, id))
  authorize(actor, 'webhook.change', webhook)
  return webhook
}

function found(id: number, webhook: Webhook | undefined): Webhook {
  if (!webhook) throw new DomainError('not-found', `There is no webhook ${id}.`)
  return webhook
}
