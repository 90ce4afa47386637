import type { Actor } from '../../core/actor.ts'
import { authorize } from '../../core/authorization.ts'
import type { Queryable } from '../../platform/database/database.ts'
import type { Guesses } from './guesses.ts'
import { randomToken, tokenHash } from './random-token.ts'
import type { Revocations } from './revocations.ts'
import { insertTicket, TICKET_SECONDS, takeTicket } from './ticket-store.ts'
import type { TokenAuthenticator } from './token-authenticator.ts'

/** Authenticates the client that opens a socket. Failed attempts are limited by address. */
export interface TicketIssuer {
  authenticate(token: string, address: string): Promise<Actor | undefined>
  redeem(ticket: string, address: string): Promise<Actor | undefined>
  issueTicket(actor: Actor): Promise<{ ticket: string; expires_in: number }>
  mark(): number
  revokedSince(mark: number, actor: Actor): boolean
}

/** Creates the authenticator. `operatorAllowed`: whether tickets of the local operator are accepted. */
export function createSocketAuthenticator(deps: {
  db: Queryable
  authenticator: TokenAuthenticator
  guesses: Guesses
  revocations: Revocations
  operatorAllowed: boolean
}): TicketIssuer {
  const { db, authenticator, guesses, revocations, operatorAllowed } = deps
  async function counted(address: string, find: () => Promise<Actor | undefined>) {
    const attempt = await guesses.begin(address)
    const found = await find()
    if (found) await attempt.succeeded()
    return found
  }
  return {
    authenticate: async (token, address) =>
      authenticator.known(token) ?? counted(address, () => authenticator.authenticate(token)),
    redeem: (ticket, address) =>
      counted(address, async () => {
        const actor = await takeTicket(db, tokenHash(ticket))
        return actor?.kind === 'operator' && !operatorAllowed ? undefined : actor
      }),
    async issueTicket(actor) {
      authorize(actor, 'event.read')
      const ticket = randomToken('twt_')
      await insertTicket(db, tokenHash(ticket), actor)
      return { ticket, expires_in: TICKET_SECONDS }
    },
    mark: () => revocations.mark(),
    revokedSince: (mark, actor) => revocations.revokedSince(mark, actor),
  }
}
