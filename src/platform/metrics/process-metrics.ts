import { readdirSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { memoryUsage, resourceUsage, uptime } from 'node:process'
import type { Metrics } from './metrics.ts'

const PERCENTILES = [50, 90, 99]

/** Registers the process metrics of Prometheus client libraries, under the same names, and the event loop delay. */
export function registerProcessMetrics(metrics: Metrics): Disposable {
  const delay = monitorEventLoopDelay({ resolution: 20 })
  delay.enable()
  const started = Date.now() / 1000 - uptime()
  metrics.reading('process_cpu_seconds_total', 'CPU time, user and system.', () => {
    const { userCPUTime, systemCPUTime } = resourceUsage()
    return (userCPUTime + systemCPUTime) / 1e6
  })
  metrics.reading('process_resident_memory_bytes', 'Resident memory of the process, in bytes.', () =>
    memoryUsage.rss(),
  )
  metrics.reading(
    'process_start_time_seconds',
    'Start time of the process, in seconds since 1970.',
    () => started,
  )
  metrics.reading('nodejs_heap_size_used_bytes', 'Used heap, in bytes.', () => memoryUsage().heapUsed)
  if (process.platform === 'linux') {
    metrics.reading(
      'process_open_fds',
      'Open file descriptors.',
      () => readdirSync('/proc/self/fd').length - 1,
    )
  }
  metrics.reading(
    'nodejs_eventloop_delay_seconds',
    'Delay of the event loop since the last scrape, in seconds.',
    () => {
      const values = PERCENTILES.map((percentile) => ({
        labels: { percentile: String(percentile) },
        // The measured delay includes the resolution.
        value: Math.max(0, delay.percentile(percentile) - 20e6) / 1e9,
      }))
      delay.reset()
      return values
    },
  )
  return { [Symbol.dispose]: () => void delay.disable() }
}
