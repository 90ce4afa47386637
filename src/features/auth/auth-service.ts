import { randomUUID } from 'node:crypto'
import type { Actor, Role, UserActor } from '../../core/actor.ts'
import { authorize, unauthenticated } from '../../core/authorization.ts'
import { DomainError, validationError } from '../../core/errors.ts'
import type { Database } from '../../platform/database/database.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import {
  findUser,
  findUserByName,
  insertUser,
  type User,
  type UserRecord,
  updateUser,
} from '../users/index.ts'
import type { AccessTokens } from './access-token.ts'
import type { Guesses } from './guesses.ts'
import { type Passwords, passwordMistake } from './password.ts'
import type { RefreshTokens } from './refresh-token.ts'
import type { Revocations } from './revocations.ts'
import type { Session, SessionStore } from './session-store.ts'

/** The client that a request comes from. */
export interface Client {
  reqId: string
  address: string
  userAgent: string
}

/** The tokens that a client gets after authentication. */
export interface Grant {
  access_token: string
  refresh_token: string
  token_type: 'bearer'
  /** Lifetime of the access token, in seconds. */
  expires_in: number
  user: User
}

export interface Credentials {
  username: string
  password: string
}

export interface AuthService {
  register(credentials: Credentials, client: Client): Promise<Grant>
  login(credentials: Credentials, client: Client): Promise<Grant>
  refresh(refreshToken: string, client: Client): Promise<Grant>
  /** Ends the session of the caller's access token. */
  logout(actor: Actor): Promise<void>
  me(actor: Actor): Promise<User>
  /** Ends every session of the user and starts a new one. */
  changePassword(actor: Actor, change: { current: string; next: string }, client: Client): Promise<Grant>
  sessions(actor: Actor): Promise<(Session & { current: boolean })[]>
  endSession(actor: Actor, id: string): Promise<void>
}

export function createAuthService(deps: {
  db: Database
  log: Logger
  passwords: Passwords
  accessTokens: AccessTokens
  refreshTokens: RefreshTokens
  sessions: SessionStore
  revocations: Revocations
  guesses: Guesses
  refreshLifetimeSeconds: number
}): AuthService {
  const { db, log, passwords, accessTokens, refreshTokens, sessions, revocations, guesses } = deps
  const lifetimeSeconds = deps.refreshLifetimeSeconds

  async function grant(user: User, epoch: number, sessionId: string, generation: number): Promise<Grant> {
    return {
      access_token: await accessTokens.issue({ userId: user.id, sessionId, epoch }),
      refresh_token: refreshTokens.issue({ sessionId, generation }),
      token_type: 'bearer',
      expires_in: accessTokens.lifetimeSeconds,
      user,
    }
  }

  /** Starts a session; `undefined` if the user's password has changed since it was checked. */
  async function begin(userId: number, passwordHash: string, client: Client): Promise<Grant | undefined> {
    const id = randomUUID()
    const { address, userAgent } = client
    await sessions.create({ id, userId, address, userAgent, lifetimeSeconds })
    // A call that ends all sessions updates the user first: either this session was ended too, or the update is seen here.
    const found = await findUser(db, userId)
    if (!found || found.disabled || found.password_hash !== passwordHash) {
      await sessions.end(userId, id)
      return undefined
    }
    const { user, epoch } = split(found)
    return grant(user, epoch, id, 0)
  }

  async function endSession(userId: number, sessionId: string): Promise<boolean> {
    // In this order, a failure in between leaves an access token for a retry.
    const ended = await sessions.end(userId, sessionId)
    await revocations.revokeSession(userId, sessionId)
    return ended
  }

  return {
    async register(credentials, client) {
      const attempt = await guesses.begin(client.address)
      // Otherwise a user would be created and the response would be 503 while the session store is unavailable.
      await sessions.list(0)
      const user = await createUser(db, passwords, credentials, 'user')
      const { password_hash: passwordHash } = (await findUser(db, user.id))!
      const begun = await begin(user.id, passwordHash, client)
      log.info({ ...audit(client), user: user.username }, 'user registered')
      if (!begun) throw unauthenticated('The session has ended.')
      await attempt.succeeded()
      return begun
    },

    async login({ username, password }, client) {
      const attempt = await guesses.begin(client.address, username)
      const found = await findUserByName(db, username)
      const isTheirs = (await passwords.verify(password, found?.password_hash)) && found && !found.disabled
      const begun = isTheirs ? await begin(found.id, found.password_hash, client) : undefined
      if (!begun) {
        log.info({ ...audit(client), user: username }, 'login failed')
        throw unauthenticated('The user name or the password is wrong.')
      }
      log.info({ ...audit(client), user: begun.user.username }, 'logged in')
      await attempt.succeeded()
      return begun
    },

    async refresh(refreshToken, client) {
      const attempt = await guesses.begin(client.address)
      const claim = refreshTokens.read(refreshToken)
      if (!claim) throw unauthenticated('The refresh token is invalid.')
      const { address, userAgent } = client
      const rotation = await sessions.rotate(claim, { address, userAgent, lifetimeSeconds })
      if (rotation.outcome === 'unknown') throw unauthenticated('The session has ended. Log in again.')
      const { userId } = rotation
      if (rotation.outcome === 'reused') {
        await revocations.revokeSession(userId, claim.sessionId)
        log.warn(
          { ...audit(client), userId },
          'a used refresh token was presented again; its session was ended',
        )
        throw unauthenticated('The refresh token was already used, so the session was ended. Log in again.')
      }
      const found = await findUser(db, userId)
      // Read after the user: a password change ends the sessions before it increments the epoch.
      const lives = (await sessions.list(userId)).some(({ id }) => id === claim.sessionId)
      if (!found || found.disabled || !lives) {
        await endSession(userId, claim.sessionId)
        throw unauthenticated('The session has ended.')
      }
      await attempt.succeeded()
      const { user, epoch } = split(found)
      return grant(user, epoch, claim.sessionId, rotation.generation)
    },

    async logout(actor) {
      authorize(actor, 'account.change')
      const { id, sessionId } = actor as UserActor
      await endSession(id, sessionId!)
    },

    async me(actor) {
      authorize(actor, 'account.read')
      return split((await findUser(db, (actor as UserActor).id))!).user
    },

    async changePassword(actor, { current, next }, client) {
      authorize(actor, 'account.change')
      const { id, username } = actor as UserActor
      const attempt = await guesses.begin(client.address, username)
      const found = (await findUser(db, id))!
      if (!(await passwords.verify(current, found.password_hash))) {
        log.info({ ...audit(client), user: username }, 'password change failed')
        throw validationError([{ path: 'body.current_password', message: 'is wrong' }])
      }
      const hash = await setPassword(
        { db, passwords, sessions, revocations },
        found,
        next,
        'body.new_password',
      )
      await attempt.succeeded()
      log.info({ ...audit(client), user: username }, 'password changed')
      const begun = await begin(id, hash, client)
      if (!begun) throw unauthenticated('The session has ended.')
      return begun
    },

    async sessions(actor) {
      authorize(actor, 'account.read')
      const { id, sessionId } = actor as UserActor
      const all = await sessions.list(id)
      return all.map((session) => ({ ...session, current: session.id === sessionId }))
    },

    async endSession(actor, id) {
      authorize(actor, 'account.change')
      const known = (await sessions.list((actor as UserActor).id)).some((session) => session.id === id)
      if (!known) throw new DomainError('not-found', 'You have no session with this id.')
      await endSession((actor as UserActor).id, id)
    },
  }
}

/** Creates a user after checking name and password. Throws `conflict` if the name is taken. */
export async function createUser(
  db: Database,
  passwords: Passwords,
  { username, password }: Credentials,
  role: Role,
): Promise<User> {
  refuseWeak(password, username, 'body.password')
  const user = await insertUser(db, { username, passwordHash: await passwords.hash(password), role })
  if (!user) throw new DomainError('conflict', `The user name "${username}" is taken.`)
  return user
}

/**
 * Sets a new password, ends all sessions and returns the new hash. Throws `conflict` if the old password is no
 * longer that of `user`. `path` names the field in errors.
 */
export async function setPassword(
  deps: {
    db: Database
    passwords: Passwords
    sessions: SessionStore
    revocations: Pick<Revocations, 'check'>
  },
  user: Pick<UserRecord, 'id' | 'username' | 'password_hash'>,
  password: string,
  path: string,
): Promise<string> {
  refuseWeak(password, user.username, path)
  const passwordHash = await deps.passwords.hash(password)
  // Sessions are ended twice. Before the change, so that nothing changes while the session store is unavailable;
  // after it, for sessions that were started with the old password in between.
  await deps.sessions.endAll(user.id)
  const outcome = await updateUser(deps.db, user.id, { passwordHash, insteadOf: user.password_hash })
  if (!outcome?.changed) throw new DomainError('conflict', 'Another request has just changed the password.')
  await deps.revocations.check()
  await deps.sessions.endAll(user.id)
  return passwordHash
}

function refuseWeak(password: string, username: string, path: string): void {
  const mistake = passwordMistake(password, username)
  if (mistake) throw validationError([{ path, message: mistake }])
}

function split(record: Awaited<ReturnType<typeof findUser>> & object): { user: User; epoch: number } {
  const { password_hash: _, token_epoch: epoch, ...user } = record
  return { user, epoch }
}

function audit({ reqId, address, userAgent }: Client) {
  return { reqId, address, userAgent: userAgent.slice(0, 300) }
}
