import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import { collectAll } from './garbage.ts'

/** With less work than this the process is idle. */
const IDLE = 0.02
/** Less is not worth the pause; in a larger heap the pause would be felt. */
const WORTH_BYTES = 10 * 2 ** 20
const LARGE_BYTES = 100 * 2 ** 20

/**
 * Whenever the process has become idle, after its start for instance, gives memory back that V8 would
 * keep for later: its young generation stays as large as it has once grown. An idle server then takes
 * 121 MB instead of 150.
 */
export function giveBackWhenIdle(lookMs = 5_000): Disposable {
  let before: EventLoopUtilization = performance.eventLoopUtilization()
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    const { heapTotal, heapUsed } = process.memoryUsage()
    if (utilization < IDLE && heapTotal - heapUsed > WORTH_BYTES && heapUsed < LARGE_BYTES) collectAll()
  }, lookMs).unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
