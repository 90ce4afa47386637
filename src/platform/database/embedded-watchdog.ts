import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Binaries } from './embedded-binaries.ts'
import { environment } from './embedded-cluster.ts'
import type { Owner } from './embedded-owner.ts'

/** PostgreSQL under its watchdog. Both go when `release` is called, and when our process ends in any way. */
export interface Watched {
  /** pid of the postmaster; undefined when it could not even be spawned */
  readonly pid: Promise<number | undefined>
  /** resolves to how it ended, such as `code 1` or `SIGKILL` */
  readonly ended: Promise<string>
  release(): void
}

/**
 * Two dash processes of 1 MB where one of Node would be 45 MB: the parent waits for PostgreSQL, its helper reads
 * the pipe that we hold and never write to. A signal may come too early for a postmaster that has not installed
 * its handlers, hence the repetition. SIGINT is the fast shutdown. An ignored signal would be inherited, so the
 * trap comes after PostgreSQL, and it is for those who signal a whole control group.
 */
const shellScript = `
exec 3<&0 </dev/null
"$@" 3<&- >&2 &
postgres=$!
trap '' HUP INT TERM
echo $postgres
exec >&2
{ read -r _ <&3; n=0; while [ $n -lt 30 ] && kill -INT $postgres; do n=$((n+1)); sleep 1; done; } 2>/dev/null &
exec 3<&-
wait $postgres
status=$?
kill -9 $! 2>/dev/null
exit $status`

/** Windows has no such shell, and pg_ctl there is what delivers a SIGINT. */
const nodeScript = `
const [pgCtl, ...command] = process.argv.slice(1)
const { spawn } = require('node:child_process')
const postgres = spawn(command[0], command.slice(1), { stdio: ['ignore', 2, 2], windowsHide: true })
postgres.on('error', () => process.exit(1)).on('exit', (code) => process.exit(code ?? 1))
console.log(postgres.pid)
const stop = () => spawn(pgCtl, ['kill', 'INT', String(postgres.pid)], { windowsHide: true })
process.stdin.on('end', () => { stop(); setInterval(stop, 1000) }).resume()`

/**
 * Runs `postgres <args>` as `owner`, its output appended to `logFile`. It gets a session of its own: Ctrl-C
 * in a terminal goes to the whole foreground group, and the database has to outlive the requests.
 */
export function watch(
  binaries: Binaries,
  args: string[],
  owner: Owner | undefined,
  logFile: string,
): Watched {
  const log = openSync(logFile, 'a', 0o600)
  const [program, ...first] =
    process.platform === 'win32'
      ? [process.execPath, '-e', nodeScript, '--', binaries.pgCtl]
      : ['/bin/sh', '-c', shellScript, 'taskwire-postgres-watchdog']
  const child: ChildProcess = spawn(program!, [...first, binaries.postgres, ...args], {
    ...owner,
    cwd: '/',
    env: environment,
    detached: true,
    windowsHide: true,
    stdio: ['pipe', 'pipe', log],
  })
  closeSync(log)
  child.stdin!.on('error', () => {})
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('exit', (code, signal) => resolve(signal ?? `code ${code}`))
  })
  // A helper that outlives a killed parent shall see the end of the pipe too.
  void ended.then(() => child.stdin!.destroy())
  const line = once(createInterface(child.stdout!), 'line').then(([text]) => Number(text))
  return {
    ended,
    pid: Promise.race([line, ended.then(() => undefined)]),
    release: () => child.stdin!.destroy(),
  }
}
