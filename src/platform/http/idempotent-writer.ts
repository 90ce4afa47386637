import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Owned } from '../../core/access-scope.ts'
import { type Action, authorize } from '../../core/authorization.ts'
import { validationError } from '../../core/errors.ts'
import type { Database, Transaction } from '../database/database.ts'
import { type StoredResponse, withIdempotencyKey } from '../idempotency/idempotency-keys.ts'

/** What a write answers, and what is to be said of it once it is committed, by whom it was really done. */
export interface WriteResponse extends StoredResponse {
  committed?: () => void
}

/** Runs the writes of routes on a service, once for each Idempotency-Key, and sends their answers. */
export type Write<Service> = (
  request: FastifyRequest,
  reply: FastifyReply,
  work: (service: Service) => Promise<WriteResponse>,
) => Promise<never>

const IDEMPOTENCY_HEADER = {
  'idempotency-key': {
    type: 'string',
    description:
      'Any text of your own, such as a UUID: the same request with the same key is done once, and answered the same for 24 h, then with the header `Idempotency-Replayed: true`',
  },
} as const

/** How the bodies of answers are kept: `show` makes what `hide` was given of what it made, both JSON. */
export interface Keeping {
  hide(body: unknown): unknown
  show(kept: unknown): unknown
}

const asTheyAre: Keeping = { hide: (body) => body, show: (kept) => kept }

/** What the schema of a route says that takes a key. */
export const idempotentHeaders = { headers: { type: 'object', properties: IDEMPOTENCY_HEADER } } as const

/** The same of one that takes a precondition too. */
export const conditionalHeaders = {
  headers: {
    type: 'object',
    properties: {
      ...IDEMPOTENCY_HEADER,
      'if-match': {
        type: 'string',
        description: 'ETag of the version to change; 412 if it is another by now',
      },
    },
  },
} as const

/**
 * `direct` is the service on the database itself, `on` makes it on a transaction; `onCommit` follows the
 * latter. `actions` are what one must be allowed to do, at the time, to be given a kept answer.
 */
export function createWriter<Service>(deps: {
  db: Database
  direct: Service
  on: (transaction: Transaction) => Service
  onCommit?: () => void
  actions: readonly Action[]
  keeping?: Keeping
}): Write<Service> {
  const { db, direct, on, onCommit, actions, keeping = asTheyAre } = deps

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
      // Whose key it is may have lost the role or, with another token, lack the scope that it was used with.
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

/** The tasks that an answer shows: it is one, or its results have them. */
function ownedIn(body: unknown): Owned[] {
  if (typeof body !== 'object' || body === null) return []
  if ('user_id' in body) return [body as Owned]
  const { results = [] } = body as { results?: { task?: Owned }[] }
  return results.flatMap(({ task }) => task ?? [])
}

function writeOf({ actor, method, url, body }: FastifyRequest, key: string) {
  const scope = actor.kind === 'user' ? `user ${actor.id}` : actor.kind
  // With a slash at its end or without, it is the same path.
  const target = url.replace(/^([^?]+)\/(?=\?|$)/, '$1')
  return { scope, key, request: `${method} ${target} ${JSON.stringify(body) ?? ''}` }
}

/** The key, with or without the quotes that the draft asks for (RFC 8941 strings). */
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
  // What is returned from an async handler is sent; null and 204 have no body.
  return reply.code(status).headers(headers).send(body) as never
}
