import { TaskwireError } from './error.ts'

/**
 * Runs `work` with a signal that is aborted with `signal`, or after `timeoutMs`; then it rejects at
 * once, whether `work` heeds the signal or not.
 */
export async function within<T>(
  timeoutMs: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ends = new AbortController()
  const ended = new Promise<never>((_, reject) => {
    ends.signal.addEventListener('abort', () => reject(ends.signal.reason))
  })
  const unlink = link(ends, signal)
  const timer = setTimeout(
    () => ends.abort(new TaskwireError(`No answer within ${timeoutMs / 1000} s`)),
    timeoutMs,
  )
  try {
    return await Promise.race([ended, work(ends.signal)])
  } finally {
    clearTimeout(timer)
    unlink()
  }
}

/**
 * Aborts `controller` when `signal` is, until the function returned is called. AbortSignal.any would do
 * without that call, but some engines keep every signal it makes for as long as `signal` lives.
 */
export function link(controller: AbortController, signal: AbortSignal | undefined): () => void {
  const stop = () => controller.abort(signal!.reason)
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop)
  return () => signal?.removeEventListener('abort', stop)
}
