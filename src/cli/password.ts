import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { StartupError } from '../core/errors.ts'
import { passwordMistake } from '../features/auth/index.ts'
import type { Console } from './console.ts'

/** Standard input: a terminal, or what is piped in. */
export type Input = NodeJS.ReadableStream & { isTTY?: boolean }

const LENGTH = { min: 8, max: 128 }
/** Longer input is no password, and is not read to its end. */
const MOST_CHARACTERS = 1_000

/**
 * A new password for `username`: asked for twice on a terminal, without echo, or piped in where `piped`
 * says so. It is never an argument, which everybody on the machine can see.
 *
 * @throws StartupError in one line when there is none, or it is weak
 */
export async function readNewPassword(
  username: string,
  piped: boolean,
  from: { input: Input; console: Console; signal: AbortSignal },
): Promise<string> {
  const { input } = from
  if (!piped && !input.isTTY) {
    throw new StartupError('There is no terminal to ask for a password; pipe it in with --password-stdin')
  }
  const password = input.isTTY ? await askTwice(username, from) : await readAll(input)
  const { length } = Array.from(password)
  if (length < LENGTH.min || length > LENGTH.max) {
    throw new StartupError(`The password must have ${LENGTH.min} to ${LENGTH.max} characters, not ${length}`)
  }
  // Over HTTP these are refused, so nobody could log in.
  if (/\p{Cc}/u.test(password))
    throw new StartupError('The password must be one line without control characters')
  const mistake = passwordMistake(password, username)
  if (mistake) throw new StartupError(`The password ${mistake}`)
  return password
}

async function askTwice(
  username: string,
  { input, console, signal }: { input: Input; console: Console; signal: AbortSignal },
): Promise<string> {
  // A terminal is in raw mode: only readline echoes, and its output is discarded.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input, output, terminal: true, historySize: 0, signal })
  try {
    const answers = lines[Symbol.asyncIterator]()
    const ask = async (text: string) => {
      console.err(text)
      const { value, done } = await answers.next()
      if (done) throw new StartupError('No password was given')
      return value
    }
    const first = await ask(`New password for ${username} (it is not shown):`)
    if (first !== (await ask('The same again:'))) throw new StartupError('The two passwords differ')
    return first
  } finally {
    lines.close()
  }
}

async function readAll(input: Input): Promise<string> {
  input.setEncoding('utf8')
  let text = ''
  for await (const chunk of input) {
    text += chunk
    if (text.length > MOST_CHARACTERS) break
  }
  return text.replace(/\r?\n$/, '')
}
