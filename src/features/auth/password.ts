import { availableParallelism } from 'node:os'
import { DomainError } from '../../core/errors.ts'
import { usernameKey } from '../users/index.ts'
import { isCommonPassword } from './common-passwords.ts'

/** Memory of argon2id, in KiB: 19 MiB, the second choice of the OWASP password storage cheat sheet. */
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }
const { memoryCost, timeCost, parallelism } = parameters

/** A hash of no user. Checking it takes as long as checking a real one (16 bytes of salt, 32 of hash). */
const NOBODY = `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${'A'.repeat(22)}$${'A'.repeat(43)}`

// Hashes run on the four threads of libuv. One thread is left for files and name look-ups.
const DEFAULT_PARALLEL = Math.max(1, Math.min(3, availableParallelism() - 1))
const DEFAULT_WAITING = 100

export interface Passwords {
  /** Returns a PHC string: argon2id with a new salt. */
  hash(password: string): Promise<string>
  /**
   * Returns true if `hash`, a PHC string, is of this password; rejects if it is no PHC string. If the user does not
   * exist, pass undefined: the check takes as long as a real one and returns false.
   */
  verify(password: string, hash: string | undefined): Promise<boolean>
}

/**
 * Hashes and checks passwords off the event loop, at most `parallel` at a time (19 MiB each), in order of arrival.
 * If `waiting` calls are queued, another call rejects with the DomainError `unavailable`.
 */
export function createPasswords(limits: { parallel?: number; waiting?: number } = {}): Passwords {
  const inTurn = takingTurns(limits.parallel ?? DEFAULT_PARALLEL, limits.waiting ?? DEFAULT_WAITING)
  // Loaded with the first login: it takes 11 MB.
  const argon2 = () => import('@node-rs/argon2')
  return {
    hash: (password) => inTurn(async () => (await argon2()).hash(prepared(password), parameters)),
    verify: (password, hash) =>
      inTurn(async () => {
        const matches = await (await argon2()).verify(hash ?? NOBODY, prepared(password))
        return matches && hash !== undefined
      }),
  }
}

/** Returns why a new password is rejected, as text that follows "password"; undefined if it is acceptable. */
export function passwordMistake(password: string, username: string): string | undefined {
  if (usernameKey(password) === usernameKey(username)) return 'must not be the user name'
  if (isCommonPassword(password)) return 'is one of the commonest, which are guessed first; choose another'
  return undefined
}

/** RFC 8265 OpaqueString: one kind of space and NFC, so that every keyboard sends the same bytes. */
function prepared(password: string): string {
  return password.replace(/\p{Zs}/gu, ' ').normalize('NFC')
}

function takingTurns(parallel: number, waiting: number) {
  const queue: (() => void)[] = []
  let running = 0
  return async <T>(run: () => Promise<T>): Promise<T> => {
    if (running < parallel) running++
    else if (queue.length < waiting) await new Promise<void>((resolve) => queue.push(resolve))
    else {
      throw new DomainError('unavailable', 'Too many passwords are being checked. Retry in a second.', {
        headers: { 'retry-after': '1' },
      })
    }
    try {
      return await run()
    } finally {
      // The slot is handed to the next call in the queue, so a new call cannot take it first.
      const next = queue.shift()
      if (next) next()
      else running--
    }
  }
}
