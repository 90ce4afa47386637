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
  /** Creates a feed. Its token can be read only from the returned value. */
  create(actor: Actor, name: string): Promise<{ feed: CalendarFeed; token: string }>
  list(actor: Actor): Promise<CalendarFeed[]>
  remove(actor: Actor, id: number): Promise<void>
  /**
   * Returns the user whose tasks a calendar shows: the owner of the feed with this token or, without a token, the
   * caller. Undefined means all tasks, for the local operator, who owns none.
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
        throw new DomainError('conflict', `A user can have ${MAX_FEEDS_PER_USER} feeds. Delete one first.`)
      return { feed, token }
    },
    async list(actor) {
      authorize(actor, 'account.read')
      return listCalendarFeeds(db, (actor as UserActor).id)
    },
    async remove(actor, id) {
      authorize(actor, 'account.change')
      if (!(await deleteCalendarFeed(db, (actor as UserActor).id, id)))
        throw new DomainError('not-found', 'You have no calendar feed with this id.')
    },
    async ownerFor(actor, token) {
      if (token === undefined) {
        authorize(actor, 'task.read')
        return actor.kind === 'user' ? actor.id : undefined
      }
      const owner = await useCalendarFeed(db, tokenHash(token))
      if (owner === undefined) throw unauthenticated('The calendar feed does not exist or was deleted.')
      return owner
    },
  }
}
