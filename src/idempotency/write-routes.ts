import type { FastifyReply, FastifyRequest } from 'fastify'
import { validationError } from '../core/errors.ts'
import type { Database, Transaction } from '../database/database.ts'
import { type Answer, runOnce } from './idempotency-keys.ts'

/** What a write answers, and what is to be said of it once it is committed, by whom it was really done. */
export interface Written extends Answer {
  committed?: () => void
}

/** Runs the writes of routes on a service, once for each Idempotency-Key, and sends their answers. */
export type Write<Service> = (
  request: FastifyRequest,
  reply: FastifyReply,
  work: (service: Service) => Promise<Written>,
) => Promise<never>

export const IDEMPOTENCY_HEADER = {
  'idempotency-key': {
    type: 'string',
    description:
      'Any text of your own, such as a UUID: the same request with the same key is done once, and answered the same for 24 h, then with the header `Idempotency-Replayed: true`',
  },
} as const

/** `direct` is the service on the database itself, `on` makes it on a transaction; `onCommit` follows the latter. */
export function createWrite<Service>(deps: {
  db: Database
  direct: Service
  on: (transaction: Transaction) => Service
  onCommit: () => void
}): Write<Service> {
  const { db, direct, on, onCommit } = deps

  return async (request, reply, work) => {
    const key = keyOf(request)
    if (key === undefined) {
      const written = await work(direct)
      written.committed?.()
      return send(reply, written)
    }
    let committed: (() => void) | undefined
    const { answer, replayed } = await runOnce(db, writeOf(request, key), async (transaction) => {
      const written = await work(on(transaction))
      committed = written.committed
      return written
    })
    if (replayed) reply.header('idempotency-replayed', 'true')
    else {
      onCommit()
      committed?.()
    }
    return send(reply, answer)
  }
}

function writeOf({ actor, method, url, body }: FastifyRequest, key: string) {
  const scope = actor.kind === 'user' ? `user ${actor.id}` : actor.kind
  return { scope, key, request: `${method} ${url} ${JSON.stringify(body) ?? ''}` }
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

function send(reply: FastifyReply, { status, headers, body }: Answer): never {
  // What is returned from an async handler is sent; null and 204 have no body.
  return reply.code(status).headers(headers).send(body) as never
}
