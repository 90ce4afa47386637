import type { Actor, UserActor } from '../../core/actor.ts'
import { authorize, unauthenticated } from '../../core/authorization.ts'
import { DomainError } from '../../core/errors.ts'
import type { Database } from '../../platform/database/database.ts'
import { randomToken, tokenHash } from '../auth/index.ts'
import type { CalendarFeed } from './calendar-feed.ts'
import {
  deleteCalendarFeed,
  insertCalendarFeed,
  listCalendarFeeds,
  MAX_FEEDS_PER_USER,
  useCalendarFeed,
} from './calendar-feed-store.ts'

const TOKEN_PREFIX = 'twf_'

export interface CalendarFeedService {
  /** Makes a feed; the answer is the only place where its token can be read. */
  create(actor: Actor, name: string): Promise<{ feed: CalendarFeed; token: string }>
  list(actor: Actor): Promise<CalendarFeed[]>
  remove(actor: Actor, id: number): Promise<void>
  /**
   * Whose tasks a calendar is to show: those of the user whose feed has the token or, where there is none, the
   * caller's own; undefined: everybody's, for the local operator, who has no own ones.
   */
  ownerFor(actor: Actor, token: string | undefined): Promise<number | undefined>
}

export function createCalendarFeedService(db: Database): CalendarFeedService {
  return {
    async create(actor, name) {
      authorize(actor, 'account.change')
      const userId = (actor as UserActor).id
      const token = randomToken(TOKEN_PREFIX)
      const feed = await db.transaction((transaction) =>
        insertCalendarFeed(transaction, { userId, name, hash: tokenHash(token) }),
      )
      if (!feed)
        throw new DomainError('conflict', `A user can have ${MAX_FEEDS_PER_USER} feeds; delete one first.`)
      return { feed, token }
    },
    async list(actor) {
      authorize(actor, 'account.read')
      return listCalendarFeeds(db, (actor as UserActor).id)
    },
    async remove(actor, id) {
      authorize(actor, 'account.change')
      if (!(await deleteCalendarFeed(db, (actor as UserActor).id, id)))
        throw new DomainError('not-found', 'You have no such feed.')
    },
    async ownerFor(actor, token) {
      if (token === undefined) {
        authorize(actor, 'task.read')
        return actor.kind === 'user' ? actor.id : undefined
      }
      const owner = await useCalendarFeed(db, tokenHash(token))
      if (owner === undefined) throw unauthenticated('There is no such feed, or no longer.')
      return owner
    },
  }
}
