import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { eventually } from '../../test/support/eventually.ts'
import { type Input, readNewPassword } from './password.ts'

/** Asks for a password of anna; `type` answers as a person would. */
function ask(piped: boolean, isTTY = true, signal = new AbortController().signal) {
  const input: PassThrough & Input = Object.assign(new PassThrough(), { isTTY })
  const asked: string[] = []
  const console = { out() {}, err: (line: string) => void asked.push(line), progress() {} }
  const answer = readNewPassword('anna', piped, { input, console, signal }).catch((error) => String(error))
  return { input, asked, answer }
}

test('on a terminal it is asked for twice', async () => {
  const { input, asked, answer } = ask(false)
  await eventually(() => asked.length === 1, 'it asks')
  input.write('correct horse bättery\r')
  await eventually(() => asked.length === 2, 'it asks again')
  input.write('correct horse bättery\r')
  expect(await answer).toBe('correct horse bättery')
  expect(asked).toEqual(['New password for anna (it is not shown):', 'The same again:'])
})

test('both lines may be pasted at once, and a mistake can be mended', async () => {
  const { input, answer } = ask(false)
  input.write('correct hoarse\x7f\x7f\x7f\x7f\x7forse battery\rcorrect horse battery\r')
  expect(await answer).toBe('correct horse battery')
})

test.each([
  ['differs', 'correct horse battery\rcorrect horse batterY\r', 'The two passwords differ'],
  ['is not given (Ctrl-D)', '\x04', 'No password was given'],
  ['is broken off (Ctrl-C)', 'correct\x03', 'No password was given'],
  ['is short', '1234567\r1234567\r', 'The password must have 8 to 128 characters, not 7'],
  [
    'is common',
    'password1\rpassword1\r',
    'The password is one of the commonest, which are guessed first; choose another',
  ],
])('one that %s is refused', async (_what, typed, mistake) => {
  const { input, answer } = ask(false)
  input.write(typed)
  expect(await answer).toBe(`StartupError: ${mistake}`)
})

test('a signal ends the question', async () => {
  const asking = new AbortController()
  const { asked, answer } = ask(false, true, asking.signal)
  await eventually(() => asked.length === 1, 'it asks')
  asking.abort()
  expect(await answer).toBe('StartupError: No password was given')
})

test.each([
  ['correct horse battery', 'correct horse battery'],
  ['correct horse battery\n', 'correct horse battery'],
  [' correct horse battery \r\n', ' correct horse battery '],
  ['верный😀конь', 'верный😀конь'],
  ['', 'StartupError: The password must have 8 to 128 characters, not 0'],
  ['x'.repeat(129), 'StartupError: The password must have 8 to 128 characters, not 129'],
  ['correct horse\nbattery\n', 'StartupError: The password must be one line without control characters'],
])('piped in, %j is %j', async (given, expected) => {
  const { input, asked, answer } = ask(true, false)
  for (const byte of Buffer.from(given)) input.write(Buffer.of(byte))
  input.end()
  expect(await answer).toBe(expected)
  expect(asked).toEqual([])
})

test('endless input is not read to its end', async () => {
  const { input, answer } = ask(true, false)
  input.write('x'.repeat(10_000))
  expect(await answer).toMatch(/not 10000$/)
})

test('without a terminal and without --password-stdin there is no password', async () => {
  const { answer } = ask(false, false)
  expect(await answer).toBe(
    'StartupError: There is no terminal to ask for a password; pipe it in with --password-stdin',
  )
})
