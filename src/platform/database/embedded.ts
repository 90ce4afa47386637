import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { errorText, StartupError } from '../../core/errors.ts'
import { findBinaries } from './embedded-binaries.ts'
import { ensureCluster, provision } from './embedded-cluster.ts'
import { accepts, type Connection, freePort } from './embedded-connection.ts'
import { complaint, explain } from './embedded-failure.ts'
import { type ClusterLocation, locateCluster, privateFolder, socketFolder } from './embedded-location.ts'
import { lockServer } from './embedded-lock.ts'
import { logSince, logSize, trimLog } from './embedded-log.ts'
import { interrupt, readPostmasterFile, settle } from './embedded-postmaster.ts'
import { postgresArguments } from './embedded-settings.ts'
import { type Watched, watch } from './embedded-watchdog.ts'

export interface EmbeddedPostgres extends AsyncDisposable {
  /** The options for `pg` to connect as the owner of the database `taskwire`. */
  readonly connection: Connection
  /** pid of the postmaster now running, undefined while it is down */
  readonly pid: number | undefined
  /** Fast stop (SIGINT), waits until it is down. Idempotent. */
  stop(): Promise<void>
}

export interface EmbeddedOptions {
  /** absolute or relative DATA_DIR; the cluster lives in `<dataDir>/postgres` */
  dataDir: string
  log: { info(msg: string): void; warn(msg: string): void; error(msg: string): void }
  /** How many connections it must take, beyond the usual. */
  connections?: number
}

/**
 * Starts PostgreSQL on `dataDir`, making the cluster first if there is none, and keeps it running until `stop`:
 * docs/adr/0001-embedded-postgresql.md. It stops by itself when our process ends, by `kill -9` too.
 *
 * @throws StartupError with one line if the operator can repair the cause
 */
export async function startEmbeddedPostgres({
  dataDir,
  log,
  connections = 0,
}: EmbeddedOptions): Promise<EmbeddedPostgres> {
  try {
    const place = locateCluster(dataDir, log)
    const unlock = lockServer(dirname(place.cluster), dataDir)
    try {
      return await start(place, unlock, log, connections)
    } catch (error) {
      unlock()
      throw error
    }
  } catch (error) {
    throw explain(error, dataDir)
  }
}

async function start(
  place: ClusterLocation,
  unlock: () => void,
  log: EmbeddedOptions['log'],
  connections: number,
): Promise<EmbeddedPostgres> {
  const binaries = findBinaries(place)
  await settle(place.cluster, log)
  const password = await ensureCluster(place, binaries)
  const windows = process.platform === 'win32'
  const host = windows ? '127.0.0.1' : socketFolder(place)
  const port = windows ? await freePort() : 5432
  const connection = { host, port, user: 'taskwire', database: 'taskwire', password }
  const ownSocketFolder = !windows && host !== place.cluster
  const logFile = join(place.dataDir, 'postgres.log')

  const stopping = new AbortController()
  let watched: Watched | undefined
  let pid: number | undefined

  /** One attempt; resolves when the postmaster says it is ready, which a recovery may put off for long. */
  async function launch(): Promise<Watched> {
    await settle(place.cluster, log)
    trimLog(logFile)
    if (ownSocketFolder && !privateFolder(host, place.owner)) throw new Error(`${host} is not ours any more`)
    const offset = logSize(logFile)
    const attempt = watch(
      binaries,
      postgresArguments(place.cluster, host, port, connections),
      place.owner,
      logFile,
    )
    watched = attempt
    let how: string | undefined
    void attempt.ended.then((text) => {
      how = text
      if (watched === attempt) pid = undefined
    })
    const started = await attempt.pid
    if (stopping.signal.aborted) attempt.release()
    for (;;) {
      if (how !== undefined)
        throw new Error(complaint(logSince(logFile, offset)) || `PostgreSQL ended: ${how}`)
      const file = readPostmasterFile(place.cluster)
      if (file?.ready && file.pid === started) break
      await delay(10)
    }
    pid = started
    return attempt
  }

  /** Starts it again and again until that works or `stop` is called. */
  async function keepRunning(): Promise<void> {
    let wait = 100
    let since = performance.now()
    for (;;) {
      const how = await watched!.ended
      if (stopping.signal.aborted) return
      log.warn(`PostgreSQL ended unexpectedly (${how}); starting it again`)
      // One that keeps dying right after its start is not to be started ten times a second.
      if (performance.now() - since > 10_000) wait = 100
      for (;;) {
        await delay(wait, undefined, { signal: stopping.signal }).catch(() => {})
        if (stopping.signal.aborted) return
        wait = Math.min(wait * 2, 5000)
        try {
          await launch()
          break
        } catch (error) {
          if (!stopping.signal.aborted) log.warn(`PostgreSQL does not start: ${errorText(error)}`)
        }
      }
      since = performance.now()
      log.info(`PostgreSQL runs again (pid ${pid})`)
    }
  }

  try {
    await firstLaunch(launch)
    if (!(await accepts(connection))) {
      log.warn('PostgreSQL does not know our user, password or database: setting them anew')
      watched!.release()
      await watched!.ended
      await provision(place, binaries, password)
      await launch()
      if (!(await accepts(connection)))
        throw new StartupError(`${place.cluster} cannot be opened: see ${logFile}`)
    }
  } catch (error) {
    watched?.release()
    await watched?.ended
    throw error
  }
  log.info(`PostgreSQL ${/^\d+\.\d+/.exec(binaries.version)?.[0]} runs in ${place.cluster} (pid ${pid})`)

  const supervision = keepRunning()
  const trimming = setInterval(() => trimLog(logFile), 60_000).unref()
  let stopped: Promise<void> | undefined
  async function stopNow(): Promise<void> {
    stopping.abort()
    clearInterval(trimming)
    watched!.release()
    if (pid !== undefined) interrupt(pid) // in case somebody killed the helper that reads the pipe
    try {
      await supervision
      // Down already unless somebody killed the watchdog.
      await settle(place.cluster, log)
      if (ownSocketFolder) rmSync(host, { recursive: true, force: true })
    } finally {
      unlock()
    }
  }
  const stop = () => {
    stopped ??= stopNow()
    return stopped
  }
  return {
    connection,
    get pid() {
      return pid
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** Backends of a killed postmaster hold its shared memory for a moment, and PostgreSQL waits for none of them. */
async function firstLaunch(launch: () => Promise<Watched>): Promise<void> {
  const deadline = Date.now() + 30_000
  for (;;) {
    try {
      await launch()
      return
    } catch (error) {
      if (!errorText(error).includes('pre-existing shared memory block') || Date.now() > deadline) throw error
      await delay(100)
    }
  }
}
