import { fork } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { memoryCounter } from '../rate-limit/index.ts'
import { type ChannelEnd, openChannel } from './channel.ts'
import { serveCounters, sharedCounters } from './shared-counters.ts'

/** Two ends that hear each other, as JSON and later. */
function pair() {
  const ends = [new EventEmitter(), new EventEmitter()] as const
  const end = (own: EventEmitter, other: EventEmitter): ChannelEnd => ({
    send: (message) => setImmediate(() => other.emit('message', JSON.parse(JSON.stringify(message)))),
    on: (event, heard) => own.on(event, heard),
  })
  return {
    one: openChannel(end(ends[0], ends[1])),
    other: openChannel(end(ends[1], ends[0])),
    cut: () => ends.map((emitter) => emitter.emit('disconnect')),
  }
}

test('calls go both ways, at once, and each gets its own answer or error', async () => {
  const { one, other } = pair()
  one.answer('double', (number: number) => number * 2)
  other.answer('fail', async (text: string) => {
    throw new Error(`no ${text}`)
  })
  const numbers = Array.from({ length: 50 }, (_, index) => index)
  const doubled = Promise.all(numbers.map((number) => other.call('double', number)))
  await expect(one.call('fail', 'thanks')).rejects.toThrow('no thanks')
  expect(await doubled).toEqual(numbers.map((number) => number * 2))
})

test('a call waits for who answers it', async () => {
  const { one, other } = pair()
  const asked = one.call('later')
  await new Promise(setImmediate)
  other.answer('later', () => 'now')
  expect(await asked).toBe('now')
})

test('when the other side ends, what waits fails, and so does what comes after', async () => {
  const { one, cut } = pair()
  const asked = one.call('nobody answers')
  cut()
  await expect(asked).rejects.toThrow('the other process has ended')
  await expect(one.call('again')).rejects.toThrow('the other process has ended')
})

test.runIf(process.platform === 'linux')(
  'a message to a process that has just been killed does no harm',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'taskwire-channel-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const script = join(folder, 'idle.js')
    writeFileSync(script, 'process.on("message", () => {})')
    const child = fork(script, { execArgv: [] })
    const channel = openChannel(child)
    await once(child, 'spawn')
    child.kill('SIGKILL')
    // Its end of the pipe is closed, and this process has not received the event yet.
    while (!/^State:\s+Z/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8')));
    const calls = [1, 2, 3].map(() => channel.call('too late'))
    expect((await Promise.allSettled(calls)).map(({ status }) => status)).toEqual(Array(3).fill('rejected'))
  },
)

test('counters of two workers are one', async () => {
  const window = { points: 5, seconds: 60, keyPrefix: 'test' }
  const count = serveCounters(memoryCounter)
  const [a, b] = [pair(), pair()]
  for (const { one } of [a, b]) one.answer('count', count)
  const [first, second] = [a, b].map(({ other }) => sharedCounters(other)(window))
  await first!.add('me', 2)
  expect(await second!.add('me', 1)).toMatchObject({ consumedPoints: 3 })
  await second!.subtract('me', 2)
  expect(await first!.get('me')).toMatchObject({ consumedPoints: 1 })
  expect(await sharedCounters(b.other)({ ...window, keyPrefix: 'else' }).get('me')).toMatchObject({
    consumedPoints: 0,
  })
})
