import { scopeOf } from '../../../core/access-scope.ts'
import { operator } from '../../../core/actor.ts'
import type { Database } from '../../../platform/database/database.ts'
import type { RabbitMqIntake } from '../../../platform/messaging/rabbitmq/index.ts'
import type { Metrics } from '../../../platform/metrics/index.ts'
import { type QueueStatistics, queueStatistics } from './task-run-store.ts'

/** The queue is the database's: every process says the same of it. */
export function registerQueueMetrics(
  metrics: Metrics,
  db: Database,
  intake: RabbitMqIntake | undefined,
): void {
  let asked: Promise<QueueStatistics> | undefined
  // Concurrent calls share one query.
  const figures = () => {
    asked ??= queueStatistics(db, scopeOf(operator)).finally(() => {
      asked = undefined
    })
    return asked
  }
  metrics.reading('taskwire_queue_jobs', 'Jobs of executable tasks.', async () => {
    const { depth, running, failed } = await figures()
    return Object.entries({ queued: depth, running, failed }).map(([state, value]) => ({
      labels: { state },
      value,
    }))
  })
  metrics.reading(
    'taskwire_queue_age_seconds',
    'For how long the job waits that is due longest.',
    async () => {
      const { oldest } = await figures()
      return oldest === null ? 0 : Math.max(0, Date.now() - Date.parse(oldest)) / 1000
    },
  )
  if (!intake) return
  const { counts } = intake
  metrics.reading('taskwire_rabbitmq_messages_total', 'Messages of RabbitMQ.', () => [
    { labels: { outcome: 'created' }, value: counts.created },
    { labels: { outcome: 'duplicate' }, value: counts.duplicates },
    { labels: { outcome: 'dead' }, value: counts.deadLettered },
  ])
}
