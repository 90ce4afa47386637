import type { Metrics } from '../../platform/metrics/index.ts'
import type { Bus } from './bus.ts'

export function registerBusMetrics(metrics: Metrics, { counters, lag }: Bus): void {
  metrics.reading('taskwire_nats_published_total', 'Events published to NATS.', () => counters.published)
  metrics.reading(
    'taskwire_nats_messages_total',
    'Messages received from other services, by outcome.',
    () => [
      { labels: { outcome: 'consumed' }, value: counters.consumed },
      { labels: { outcome: 'malformed' }, value: counters.malformed },
    ],
  )
  metrics.reading('taskwire_nats_lag', 'Event ids that are not published to NATS yet.', lag)
}
