import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Owned } from '../../core/access-scope.ts'
import { type Action, authorize } from '../../core/authorization.ts'
import { validationError } from '../../core/errors.ts'
import type { Database, Transaction } from '../database/database.ts'
import { type StoredResponse, withIdempotencyKey } from '../idempotency/idempotency-keys.ts'

/** The response of a write, and an effect to run after the commit. A replayed response has no effect. */
export interface WriteResponse extends StoredResponse {
  committed?: () => void
}

/** Runs a write of a route on a service, once for each Idempotency-Key, and sends the response. */
export type Write<Service> = (
  request: FastifyRequest,
  reply: FastifyReply,
  work: (service: Service) => Promise<WriteResponse>,
) => Promise<never>

const IDEMPOTENCY_HEADER = {
  'idempotency-key': {
    type: 'string',
    description:
      'Any text that you choose, such as a UUID. A request with the same key runs once; for 24 h, repeats get the stored response with the header `Idempotency-Replayed: true`',
  },
} as const

/** How response bodies are stored: `hide` turns a body into JSON for storage, and `show` restores it. */
export interface Keeping {
  hide(body: unknown): unknown
  show(kept: unknown): unknown
}

const unchanged: Keeping = { hide: (body) => body, show: (kept) => kept }

/** The header schema of a route that accepts an Idempotency-Key. */
export const idempotentHeaders = { headers: { type: 'object', properties: IDEMPOTENCY_HEADER } } as const

/** The header schema of a route that accepts an Idempotency-Key and a precondition. */
export const conditionalHeaders = {
  headers: {
    type: 'object',
    properties: {
      ...IDEMPOTENCY_HEADER,
      'if-match': {
        type: 'string',
        description: 'ETag of the version to change; 412 if the current version is another',
      },
    },
  },
} as const

/**
 * Creates the function that runs the writes of a route. `direct` is the service on the database, `on` creates it on
 * a transaction, and `onCommit` is called after that transaction. A replayed response is sent only if the caller is
 * still allowed to do all `actions`.
 */
export function createWriter<Service>(deps: {
  db: Database
  direct: Service
  on: (transaction: Transaction) => Service
  onCommit?: () => void
  actions: readonly Action[]
  keeping?: Keeping
}): Write<Service> {
  const { db, direct, on, onCommit, actions, keeping = unchanged } = deps

  return async (request, reply, work) => {
    const key = keyOf(request)
    if (key === undefined) {
      const written = await work(direct)
      written.committed?.()
      return send(reply, written)
    }
    let written: WriteResponse | undefined
    const { answer, replayed } = await withIdempotencyKey(db, writeOf(request, key), async (transaction) => {
      written = await work(on(transaction))
      return { ...written, body: keeping.hide(written.body) }
    })
    if (replayed || !written) {
      const body = keeping.show(answer.body)
      // The caller may have lost the role meanwhile, or use a token with fewer scopes.
      for (const action of actions) {
        authorize(request.actor, action)
        for (const owned of ownedIn(body)) authorize(request.actor, action, owned)
      }
      reply.header('idempotency-replayed', 'true')
      return send(reply, { ...answer, body })
    }
    onCommit?.()
    written.committed?.()
    return send(reply, written)
  }
}

/** Returns the tasks in a response: the body itself, or the tasks in its `results`. */
function ownedIn(body: unknown): Owned[] {
  if (typeof body !== 'object' || body === null) return []
  if ('user_id' in body) return [body as Owned]
  const { results = [] } = body as { results?: { task?: Owned }[] }
  return results.flatMap(({ task }) => task ?? [])
}

function writeOf({ actor, method, url, body }: FastifyRequest, key: string) {
  const scope = actor.kind === 'user' ? `user ${actor.id}` : actor.kind
  // A trailing slash does not change the path.
  const target = url.replace(/^([^?]+)\/(?=\?|$)/, '$1')
  return { scope, key, request: `${method} ${target} ${JSON.stringify(body) ?? ''}` }
}

/** Returns the key, with or without the quotes that the draft requires (RFC 8941 strings). */
function keyOf({ headers }: FastifyRequest): string | undefined {
  const header = headers['idempotency-key']
  if (header === undefined) return undefined
  const key = /^"?([\x20\x21\x23-\x7e]{1,255})"?$/.exec(String(header).trim())?.[1]
  if (key === undefined) {
    const message = 'must be 1 to 255 printable ASCII characters'
    throw validationError([{ path: 'headers.idempotency-key', message }])
  }
  return key
}

function send(reply: FastifyReply, { status, headers, body }: StoredResponse): never {
  // Fastify sends what an async handler returns; null and 204 have no body.
  return reply.code(status).headers(headers).send(body) as never
}
