import { scopeOf } from '../../core/access-scope.ts'
import { type Actor, userIdOf } from '../../core/actor.ts'
import { authorize } from '../../core/authorization.ts'
import { DomainError, validationError } from '../../core/errors.ts'
import type { Database, Queryable } from '../../platform/database/database.ts'
import type { AddressGuard } from '../../platform/outbound/address-guard.ts'
import type { DeliveryQueue } from './delivery-queue.ts'
import { bookRuns } from './delivery-run-store.ts'
import type { SecretBox } from './secret-box.ts'
import { newWebhookSecret } from './signature.ts'
import type { Webhook } from './webhook.ts'
import { authorizeSending, webhookToChange, webhookToRead } from './webhook-access.ts'
import type { CreateWebhook, PatchWebhook } from './webhook-schemas.ts'
import {
  deleteWebhook,
  insertWebhook,
  listWebhooks,
  MAX_PER_OWNER,
  replaceSecret,
  updateWebhook,
} from './webhook-store.ts'

/** A secret is in an answer once, when it is made. */
export type WebhookWithSecret = Webhook & { secret: string }

export interface WebhookService {
  create(actor: Actor, input: CreateWebhook): Promise<WebhookWithSecret>
  list(actor: Actor, page: { skip: number; limit: number }): Promise<{ webhooks: Webhook[]; total: number }>
  get(actor: Actor, id: number): Promise<Webhook>
  change(actor: Actor, id: number, changes: PatchWebhook): Promise<{ webhook: Webhook; changed: boolean }>
  remove(actor: Actor, id: number): Promise<void>
  renewSecret(actor: Actor, id: number): Promise<WebhookWithSecret>
}

/** The rules of webhooks, on a database or, where `transaction` joins it, on a transaction of it. */
export function createWebhookService(
  db: Queryable,
  deps: {
    transaction: Database['transaction']
    queue: Pick<DeliveryQueue, 'book'>
    secrets: SecretBox
    guard: AddressGuard
    /** The id up to which every event was there before it was asked. */
    settled: () => Promise<number>
  },
): WebhookService {
  const { transaction: within, queue, secrets, guard, settled } = deps
  return {
    async create(actor, { url, types = null, description = null }) {
      authorizeSending(actor)
      const userId = userIdOf(actor)
      const target = checkedUrl(url, guard)
      const secret = newWebhookSecret()
      const webhook = { userId, url: target, types, description, secret: secrets.seal(secret) }
      const afterEvent = await settled()
      const made = await within((transaction) => insertWebhook(transaction, { ...webhook, afterEvent }))
      if (!made) {
        throw new DomainError('conflict', `One can have ${MAX_PER_OWNER} webhooks; delete one first.`)
      }
      return { ...made, secret }
    },
    async list(actor, page) {
      authorize(actor, 'webhook.read')
      return listWebhooks(db, { scope: scopeOf(actor), ...page })
    },
    get: (actor, id) => webhookToRead(db, actor, id),
    async change(actor, id, changes) {
      authorizeSending(actor)
      const url = changes.url === undefined ? undefined : checkedUrl(changes.url, guard)
      return within(async (transaction) => {
        await webhookToChange(transaction, actor, id)
        const { changed, ...webhook } = await updateWebhook(transaction, id, { ...changes, url })
        // Its receiver may have been left alone for a while.
        if (changed) await bookRuns(transaction, queue, [id])
        return { webhook, changed }
      })
    },
    remove: (actor, id) =>
      within(async (transaction) => {
        await webhookToChange(transaction, actor, id)
        await deleteWebhook(transaction, id)
      }),
    async renewSecret(actor, id) {
      authorizeSending(actor)
      const secret = newWebhookSecret()
      return within(async (transaction) => {
        await webhookToChange(transaction, actor, id)
        return { ...(await replaceSecret(transaction, id, secrets.seal(secret))), secret }
      })
    },
  }
}

/** The URL in its canonical form; names are looked up when something is sent. */
function checkedUrl(text: string, guard: AddressGuard): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const refuse = (message: string) => validationError([{ path: 'body.url', message }])
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw refuse('must be an http or https URL')
  if (url.username || url.password) throw refuse('must not have a user or a password')
  if (guard.refuses(url)) throw refuse('must lead to a public address, unless WEBHOOK_ALLOW lists the host')
  url.hash = ''
  return url.href
}
