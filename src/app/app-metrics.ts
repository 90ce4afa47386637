import { version } from '../core/version.ts'
import { registerBusMetrics } from '../events/nats/index.ts'
import { registerQueueMetrics } from '../features/tasks/jobs/index.ts'
import { serviceChecks } from './service-checks.ts'
import type { Services } from './services.ts'

/** Registers the metrics that are read from the services on each scrape. */
export function registerAppMetrics(parts: Services): void {
  const { metrics, db, sockets, sources, bus, intake } = parts
  if (bus) registerBusMetrics(metrics, bus)
  registerQueueMetrics(metrics, db, intake)
  metrics.reading('taskwire_info', 'The running version.', () => [{ labels: { version }, value: 1 }])
  metrics.reading('taskwire_sockets', 'Open connections of the event stream, by kind.', () => [
    { labels: { kind: 'websocket' }, value: sockets.size },
    { labels: { kind: 'sse' }, value: sources.size },
  ])
  metrics.reading(
    'taskwire_database_connections',
    'Connections to the database, and queries that wait for one, by state.',
    () => Object.entries(db.connections()).map(([state, value]) => ({ labels: { state }, value })),
  )
  const { required, optional } = serviceChecks(parts)
  metrics.reading('taskwire_service_up', 'Services that this process uses: 1 if available, 0 if not.', () =>
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
