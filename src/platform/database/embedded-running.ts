import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { StartupError } from '../../core/errors.ts'
import type { EmbeddedOptions } from './embedded.ts'
import { readPassword } from './embedded-cluster.ts'
import { accepts, type Connection } from './embedded-connection.ts'
import { explain } from './embedded-failure.ts'
import { type ClusterLocation, locateCluster } from './embedded-location.ts'
import { lockOwner } from './embedded-lock.ts'
import { readPostmasterFile } from './embedded-postmaster.ts'

/** A start with initdb, or a recovery that takes its time. */
const PATIENCE_MS = 30_000

/**
 * Returns the connection to the embedded PostgreSQL of `dataDir` that another Taskwire process runs, or undefined if
 * none does. Waits for one that is starting or stopping. The other process owns PostgreSQL and stops it when it ends.
 *
 * @throws StartupError with one line if the operator can repair the cause
 */
export async function connectEmbedded({ dataDir, log }: EmbeddedOptions): Promise<Connection | undefined> {
  try {
    const place = locateCluster(dataDir, log)
    for (const started = Date.now(); ; await delay(50)) {
      const owner = lockOwner(dirname(place.cluster))
      if (owner === undefined) return undefined
      const connection = await openTo(place)
      if (connection) return connection
      if (Date.now() - started > PATIENCE_MS) {
        throw new StartupError(
          `the PostgreSQL of the Taskwire server on DATA_DIR ${dataDir} (pid ${owner}) does not answer; see postgres.log there`,
        )
      }
    }
  } catch (error) {
    throw explain(error, dataDir)
  }
}

/** undefined while the postmaster does not let us in, for whatever reason. */
async function openTo(place: ClusterLocation): Promise<Connection | undefined> {
  const file = readPostmasterFile(place.cluster)
  if (!file?.ready) return undefined
  const { port, socketFolder } = file
  const connection = { port, host: socketFolder || '127.0.0.1', user: 'taskwire', database: 'taskwire' }
  try {
    const known = { ...connection, password: readPassword(place) }
    return (await accepts(known)) ? known : undefined
  } catch {
    return undefined
  }
}
