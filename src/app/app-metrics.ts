import { registerBusMetrics } from '../bus/index.ts'
import type { Parts } from './parts.ts'

/** What is read of the parts whenever somebody asks. */
export function registerAppMetrics({ metrics, db, sockets, sources, bus }: Parts): void {
  if (bus) registerBusMetrics(metrics, bus)
  metrics.reading('taskwire_sockets', 'Open connections of the event stream.', () => [
    { labels: { kind: 'websocket' }, value: sockets.size },
    { labels: { kind: 'sse' }, value: sources.size },
  ])
  metrics.reading(
    'taskwire_database_connections',
    'Connections to the database, and who waits for one.',
    () => Object.entries(db.connections()).map(([state, value]) => ({ labels: { state }, value })),
  )
}
