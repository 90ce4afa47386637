import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** With less work than this the process is idle. */
const IDLE = 0.02
/** Less is not worth the pause; in a larger heap the pause would be felt: 60 to 110 ms at 35 MB. */
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
    if (utilization < IDLE && heapTotal - heapUsed > WORTH_BYTES && heapUsed < LARGE_BYTES) collect()
  }, lookMs).unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

let gc: ((options: object) => void) | undefined

/** Of all kinds of collection this one alone makes the young generation small again. */
function collect(): void {
  if (!gc) {
    setFlagsFromString('--expose-gc')
    gc = runInNewContext('gc') as (options: object) => void
    setFlagsFromString('--no-expose-gc')
  }
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
