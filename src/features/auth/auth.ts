import type { Revocation } from '../../core/actor.ts'
import type { Database } from '../../platform/database/database.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { type CounterFactory, createRateLimiter } from '../../platform/rate-limit/index.ts'
import type { Redis } from '../../platform/redis/redis.ts'
import { hasAdmin } from '../users/index.ts'
import { createAccessTokens } from './access-token.ts'
import { type ApiTokenService, createApiTokenService } from './api-token-service.ts'
import { type AuthService, createAuthService } from './auth-service.ts'
import { ensureConfiguredAdmin } from './first-admin.ts'
import { createGuesses, type Guesses } from './guesses.ts'
import { createPasswords, type Passwords } from './password.ts'
import { createPostgresSessionStore } from './postgres-session-store.ts'
import { createRedisSessionStore } from './redis-session-store.ts'
import { createRefreshTokens } from './refresh-token.ts'
import { purgeRevocations, type Revocations, watchRevocations } from './revocations.ts'
import { loadSecretKeys } from './secret-keys.ts'
import type { SessionStore } from './session-store.ts'
import { createSetupTokens, type SetupTokens } from './setup-token.ts'
import { createSocketAuthenticator, type TicketIssuer } from './socket-authenticator.ts'
import { purgeTickets } from './ticket-store.ts'
import { createAuthenticator, type TokenAuthenticator } from './token-authenticator.ts'
import { createVerifiedTokens } from './verified-tokens.ts'

/** Maximum failed attempts per minute: at one user's password from one address, and at any secret from one address. */
const GUESSES = { perUser: 10, perAddress: 60 }

export interface AuthConfig {
  SECRET_KEY: string[]
  DATA_DIR: string
  DATABASE_URL: string | undefined
  ACCESS_TOKEN_EXPIRE_MINUTES: number
  REFRESH_TOKEN_EXPIRE_MINUTES: number
  ADMIN_USERNAME: string | undefined
  ADMIN_PASSWORD: string | undefined
  access: 'required' | 'open'
}

/** The services of authentication. */
export interface Auth extends AsyncDisposable {
  /** The keys of `SECRET_KEY`: the first signs, all are accepted. */
  keys: readonly string[]
  service: AuthService
  apiTokens: ApiTokenService
  authenticator: TokenAuthenticator
  gate: TicketIssuer
  passwords: Passwords
  sessions: SessionStore
  revocations: Revocations
  guesses: Guesses
  setupTokens: SetupTokens
  /** Removes expired rows. */
  purges: Record<'sessions' | 'tickets' | 'revocations', (limit: number) => Promise<number>>
  /** Returns the path of the single-use setup link; undefined if an admin exists or access is open. */
  setupPath(): Promise<string | undefined>
}

/** Starts authentication. `onRevoked` is called for each revoked credential, whichever process revoked it. */
export async function createAuth(deps: {
  db: Database
  log: Logger
  config: AuthConfig
  redis: Redis | undefined
  counters: CounterFactory
  onRevoked: (revocation: Revocation) => void
}): Promise<Auth> {
  const { db, log, config, redis, counters, onRevoked } = deps
  const keys = await loadSecretKeys(config, log)
  const accessTokens = createAccessTokens({ keys, lifetimeSeconds: config.ACCESS_TOKEN_EXPIRE_MINUTES * 60 })
  const refreshTokens = createRefreshTokens(keys)
  const setupTokens = createSetupTokens({ keys })
  const verified = createVerifiedTokens()
  const authenticator = createAuthenticator({ db, accessTokens, verified })
  const passwords = createPasswords()
  const sessions = redis ? createRedisSessionStore(redis) : createPostgresSessionStore(db)
  const limiter = (name: string, points: number) =>
    createRateLimiter({ name, points, seconds: 60, redis, counters, log })
  const guesses = createGuesses({
    perUser: limiter('user-guesses', GUESSES.perUser),
    perAddress: limiter('guesses', GUESSES.perAddress),
  })
  await ensureConfiguredAdmin(db, passwords, config, log)
  const revocations = await watchRevocations(db, log, (revocation) => {
    verified.revoke(revocation)
    onRevoked(revocation)
  })
  const refreshLifetimeSeconds = config.REFRESH_TOKEN_EXPIRE_MINUTES * 60
  return {
    keys,
    service: createAuthService({
      db,
      log,
      passwords,
      accessTokens,
      refreshTokens,
      sessions,
      revocations,
      guesses,
      refreshLifetimeSeconds,
    }),
    apiTokens: createApiTokenService(db, revocations),
    authenticator,
    gate: createSocketAuthenticator({
      db,
      authenticator,
      guesses,
      revocations,
      operatorAllowed: config.access === 'open',
    }),
    passwords,
    sessions,
    revocations,
    guesses,
    setupTokens,
    purges: {
      sessions: (limit) => sessions.purge(limit),
      tickets: (limit) => purgeTickets(db, limit),
      revocations: (limit) => purgeRevocations(db, limit),
    },
    async setupPath() {
      if (config.access === 'open' || (await hasAdmin(db))) return undefined
      return `/auth/setup?token=${await setupTokens.issue()}`
    },
    [Symbol.asyncDispose]: () => revocations[Symbol.asyncDispose](),
  }
}
