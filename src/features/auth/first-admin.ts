import { DomainError, StartupError } from '../../core/errors.ts'
import type { Database } from '../../platform/database/database.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { hasAdmin, insertUser, isUsername, type User } from '../users/index.ts'
import type { Credentials } from './auth-service.ts'
import { type Passwords, passwordMistake } from './password.ts'

/**
 * Creates an admin if none exists; otherwise returns undefined. Of several concurrent calls one succeeds.
 */
export async function createFirstAdmin(
  db: Database,
  passwords: Passwords,
  { username, password }: Credentials,
): Promise<User | undefined> {
  const passwordHash = await passwords.hash(password)
  return db.transaction(async (transaction) => {
    await transaction.query({ text: "SELECT pg_advisory_xact_lock(hashtext('taskwire first admin'))" })
    if (await hasAdmin(transaction)) return undefined
    const user = await insertUser(transaction, { username, passwordHash, role: 'admin' })
    if (!user) throw new DomainError('conflict', `The user name "${username}" is taken.`)
    return user
  })
}

/** Creates the admin of ADMIN_USERNAME and ADMIN_PASSWORD, unless an admin exists. */
export async function ensureConfiguredAdmin(
  db: Database,
  passwords: Passwords,
  config: { ADMIN_USERNAME: string | undefined; ADMIN_PASSWORD: string | undefined },
  log: Logger,
): Promise<void> {
  const { ADMIN_USERNAME: username, ADMIN_PASSWORD: password } = config
  if (!username || !password || (await hasAdmin(db))) return
  if (!isUsername(username)) {
    throw new StartupError('ADMIN_USERNAME must be 3 to 64 letters, digits, dots, hyphens and underscores')
  }
  if (password.length < 8 || password.length > 128) {
    throw new StartupError('ADMIN_PASSWORD must have 8 to 128 characters')
  }
  const mistake = passwordMistake(password, username)
  if (mistake) throw new StartupError(`ADMIN_PASSWORD ${mistake}`)
  try {
    const user = await createFirstAdmin(db, passwords, { username, password })
    if (user) log.info({ user: user.username }, 'first admin created, from ADMIN_USERNAME')
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    throw new StartupError(
      `ADMIN_USERNAME: the user "${username}" exists but is not an admin; run taskwire user set-role ${username} admin`,
    )
  }
}
