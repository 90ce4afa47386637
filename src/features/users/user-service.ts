import type { Actor } from '../../core/actor.ts'
import { authorize } from '../../core/authorization.ts'
import { DomainError } from '../../core/errors.ts'
import type { Database } from '../../platform/database/database.ts'
import type { User } from './user.ts'
import { listUsers, lockAdmins, type UserChanges, updateUser } from './user-store.ts'

export interface UserService {
  list(actor: Actor, page: { skip: number; limit: number }): Promise<{ users: User[]; total: number }>
  /** Changes the role or `disabled`. Throws `conflict` if no admin would be left. */
  change(
    actor: Actor,
    id: number,
    changes: Pick<UserChanges, 'role' | 'disabled'>,
  ): Promise<{ user: User; changed: boolean }>
}

/** Creates the service. `onRevoked` is called after credentials were revoked, `endSessions` for a disabled user. */
export function createUserService(
  db: Database,
  {
    onRevoked,
    endSessions,
  }: { onRevoked: () => Promise<void>; endSessions: (id: number) => Promise<unknown> },
): UserService {
  return {
    async list(actor, page) {
      authorize(actor, 'user.read')
      return listUsers(db, page)
    },
    async change(actor, id, changes) {
      authorize(actor, 'user.change')
      const outcome = await changeUser(db, id, changes)
      if (outcome.changed) await onRevoked()
      // Also if the user was already disabled: ending the sessions may have failed the first time.
      if (outcome.user.disabled) await endSessions(id)
      return outcome
    },
  }
}

/** Changes a user without checking the actor; see UserService. */
export function changeUser(
  db: Database,
  id: number,
  changes: Pick<UserChanges, 'role' | 'disabled'>,
): Promise<{ user: User; changed: boolean }> {
  return db.transaction(async (transaction) => {
    // Two admins who demote each other wait for the same lock here, and the second one gets a conflict.
    const admins = await lockAdmins(transaction)
    const ceases = changes.role === 'user' || changes.disabled === true
    if (ceases && admins.length === 1 && admins[0] === id) {
      throw new DomainError('conflict', 'This is the last admin. Make another user an admin first.')
    }
    const outcome = await updateUser(transaction, id, changes)
    if (!outcome) throw new DomainError('not-found', `There is no user ${id}.`)
    return outcome
  })
}
