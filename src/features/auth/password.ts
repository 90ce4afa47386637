import { availableParallelism } from 'node:os'
import { DomainError } from '../../core/errors.ts'
import { usernameKey } from '../users/index.ts'
import { isCommonPassword } from './common-passwords.ts'

/** The second choice of the OWASP password storage cheat sheet for argon2id; 19 MiB, in KiB. */
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }
const { memoryCost, timeCost, parallelism } = parameters

/** Takes as long to check as a real one (16 bytes of salt, 32 of hash), and belongs to nobody. */
const NOBODY = `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${'A'.repeat(22)}$${'A'.repeat(43)}`

// Hashes run on the thread pool of libuv, which has four threads: one is left to files and name look-ups.
const DEFAULT_PARALLEL = Math.max(1, Math.min(3, availableParallelism() - 1))
const DEFAULT_WAITING = 100

export interface Passwords {
  /** A PHC string, of argon2id with a fresh salt. */
  hash(password: string): Promise<string>
  /**
   * Whether it is the password of `hash`, a PHC string (rejects for anything else). `hash` undefined: the
   * user does not exist; it takes the time of a real check, and is false.
   */
  verify(password: string, hash: string | undefined): Promise<boolean>
}

/**
 * Hashes and checks passwords off the event loop, at most `parallel` (19 MiB each) at a time and in order
 * of arrival. When `waiting` calls wait already, another one rejects with the DomainError `unavailable`.
 */
export function createPasswords(limits: { parallel?: number; waiting?: number } = {}): Passwords {
  const inTurn = takingTurns(limits.parallel ?? DEFAULT_PARALLEL, limits.waiting ?? DEFAULT_WAITING)
  // 11 MB that a process does not need before the first login.
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

/** Why a new password is refused, as words that complete "password …"; undefined when it is fine. */
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
      throw new DomainError('unavailable', 'Too many passwords are being checked; try again in a second.', {
        headers: { 'retry-after': '1' },
      })
    }
    try {
      return await run()
    } finally {
      // The place goes straight to the next in the queue: a newcomer cannot take it first.
      const next = queue.shift()
      if (next) next()
      else running--
    }
  }
}
