import { version } from '../core/version.ts'
import { registerBusMetrics } from '../events/nats/index.ts'
import { registerQueueMetrics } from '../features/tasks/jobs/index.ts'
import { serviceChecks } from './service-checks.ts'
import type { Services } from './services.ts'

/** What is read of the parts whenever somebody asks. */
export function registerAppMetrics(parts: Services): void {
  const { metrics, db, sockets, sources, bus, intake } = parts
  if (bus) registerBusMetrics(metrics, bus)
  registerQueueMetrics(metrics, db, intake)
  metrics.reading('taskwire_info', 'The version that runs.', () => [{ labels: { version }, value: 1 }])
  metrics.reading('taskwire_sockets', 'Open connections of the event stream.', () => [
    { labels: { kind: 'websocket' }, value: sockets.size },
    { labels: { kind: 'sse' }, value: sources.size },
  ])
  metrics.reading(
    'taskwire_database_connections',
    'Connections to the database, and who waits for one.',
    () => Object.entries(db.connections()).map(([state, value]) => ({ labels: { state }, value })),
  )
  const { required, optional } = serviceChecks(parts)
  metrics.reading('taskwire_service_up', 'Whether what this process uses can be used.', () =>
    Promise.all(
      Object.entries({ ...required, ...optional }).map(async ([service, check]) => ({
        labels: { service },
        value: await check().then(
          () => 1,
          () => 0,
        ),
      })),
    ),
  )
}
