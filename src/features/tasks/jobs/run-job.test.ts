import { expect, test } from 'vitest'
import type { StartedRun } from './job-store.ts'
import { type JobContext, type JobType, PermanentFailure } from './job-type.ts'
import { runJob } from './run-job.ts'

const started: StartedRun = {
  ticket: 'first',
  taskId: 7,
  number: 3,
  attempt: 1,
  maxAttempts: 2,
  type: 'x',
  input: {},
}
const never = new AbortController().signal
const type = (run: (context: JobContext) => Promise<unknown>, timeoutMs = 1000): JobType => ({
  name: 'x',
  input: {},
  timeoutMs: () => timeoutMs,
  run: (_input, context) => run(context),
})
const end = (one: JobType, run: Partial<StartedRun> = {}, signal = never) =>
  runJob([one], { ...started, ...run }, signal, () => 'next')

test('a result is the end of the job, whatever the attempt', async () => {
  for (const attempt of [1, 2])
    expect(
      await end(
        type(async () => ({ a: 1 })),
        { attempt },
      ),
    ).toEqual({
      taskId: 7,
      number: 3,
      state: 'succeeded',
      result: '{"a":1}',
    })
  expect(await end(type(async () => undefined))).toMatchObject({ result: 'null' })
})

test('a failure has another attempt, unless it was the last or would only be repeated', async () => {
  const failing = type(() => Promise.reject(new Error('down', { cause: new Error('refused') })))
  const again = { ticket: 'next', delayMs: expect.any(Number) }
  expect(await end(failing)).toMatchObject({ state: 'failed', error: 'down: refused', again })
  expect(await end(failing, { attempt: 2 })).not.toHaveProperty('again')
  expect(await end(type(() => Promise.reject(new PermanentFailure('no'))))).not.toHaveProperty('again')
  const throwing = type(() => {
    throw new Error('at once')
  })
  expect(await end(throwing)).toMatchObject({ error: 'at once', again })
  expect(await end({ ...failing, name: 'y' })).toMatchObject({ error: 'there is no job type "x"' })
  expect(await end(type(() => Promise.reject('a string')))).toMatchObject({ error: 'a string' })
  // A result that cannot be JSON is a failure too, not the end of the worker.
  expect(await end(type(async () => 1n))).toMatchObject({
    state: 'failed',
    error: expect.stringContaining('BigInt'),
  })
})

test.each(['heeding', 'deaf'])(
  'a job that takes too long is told to stop, and has failed: %s',
  async (how) => {
    let told: unknown
    const slow = type(({ signal }) => {
      const { promise, reject } = Promise.withResolvers<never>()
      signal.addEventListener('abort', () => {
        told = signal.reason
        if (how === 'heeding') reject(new Error('something about an abort'))
      })
      return promise
    }, 20)
    expect(await end(slow)).toMatchObject({ state: 'failed', error: 'took longer than 0.02 s' })
    expect(told).toMatchObject({ message: 'took longer than 0.02 s' })
  },
)

test('a job that is stopped says why', async () => {
  const stop = new AbortController()
  const ended = end(
    type(
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    ),
    {},
    stop.signal,
  )
  stop.abort(new Error('cancelled'))
  expect(await ended).toMatchObject({ state: 'failed', error: 'cancelled' })
  // Also when it was stopped before it began.
  expect(
    await end(
      type(() => new Promise(() => {})),
      {},
      stop.signal,
    ),
  ).toMatchObject({ error: 'cancelled' })
})
