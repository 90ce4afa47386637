import { errorText } from '../../../core/errors.ts'
import { backoffMs } from './backoff.ts'
import { boundedError, boundedResult } from './bounded.ts'
import type { EndedRun, StartedRun } from './job-store.ts'
import { type JobType, PermanentFailure } from './job-type.ts'

/**
 * Runs one attempt to its end: its own, that of its time, or that of `signal`. Never rejects. What does
 * not heed its signal is left behind.
 */
export async function runJob(
  types: readonly JobType[],
  run: StartedRun,
  signal: AbortSignal,
  newTicket: () => string,
): Promise<EndedRun> {
  const { taskId, number, attempt, maxAttempts } = run
  try {
    const result = await attempted(types, run, signal)
    return { taskId, number, state: 'succeeded', result: boundedResult(result) }
  } catch (error) {
    const failed: EndedRun = { taskId, number, state: 'failed', error: boundedError(errorText(error)) }
    if (error instanceof PermanentFailure || attempt >= maxAttempts) return failed
    return { ...failed, again: { ticket: newTicket(), delayMs: backoffMs(attempt) } }
  }
}

async function attempted(types: readonly JobType[], run: StartedRun, signal: AbortSignal): Promise<unknown> {
  const type = types.find(({ name }) => name === run.type)
  if (!type) throw new PermanentFailure(`there is no job type "${run.type}"`)
  const input = run.input as never
  const timeoutMs = type.timeoutMs(input)
  const late = new AbortController()
  const ending = AbortSignal.any([signal, late.signal])
  ending.throwIfAborted()
  const timer = setTimeout(() => late.abort(new Error(`took longer than ${timeoutMs / 1000} s`)), timeoutMs)
  const { promise: ended, reject } = Promise.withResolvers<never>()
  ending.addEventListener('abort', () => reject(ending.reason))
  try {
    return await Promise.race([type.run(input, { signal: ending, attempt: run.attempt }), ended])
  } catch (error) {
    // The error that a job throws when it is stopped is not the reason why it was stopped.
    throw ending.aborted ? ending.reason : error
  } finally {
    clearTimeout(timer)
  }
}
