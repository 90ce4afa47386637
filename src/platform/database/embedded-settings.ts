/**
 * Settings of the embedded PostgreSQL, for a server that shares a small machine with Node. They are given on
 * the command line, so neither an old postgresql.conf nor ALTER SYSTEM changes what durability rests on.
 */
const settings: Record<string, string> = {
  // Durability: PostgreSQL's defaults, said aloud because "acknowledged" means "on disk" here.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  // `replica` costs single-row commits nothing and lets pg_basebackup and a standby work.
  wal_level: 'replica',
  // At most this much log to keep and, after a crash, to replay.
  max_wal_size: '512MB',
  // Pages count as memory only once they are used.
  shared_buffers: '128MB',
  huge_pages: 'try',
  // Small indexed queries gain nothing by either; parallel ones also need more /dev/shm than Docker gives.
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  // Three I/O workers and the launcher of subscriptions would idle at 5 MB each.
  io_method: 'sync',
  max_logical_replication_workers: '0',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
  // stderr, which the watchdog appends to the log file.
  log_destination: 'stderr',
  logging_collector: 'off',
  log_min_messages: 'warning',
  log_checkpoints: 'off',
  log_line_prefix: '%m [%p] ',
}

const USUAL_CONNECTIONS = 64

/**
 * The command line of a postmaster that listens in the folder `host`, on Windows at the address `host`,
 * and takes at least so many `connections`.
 */
export function postgresArguments(cluster: string, host: string, port: number, connections = 0): string[] {
  const place =
    process.platform === 'win32'
      ? { listen_addresses: host, unix_socket_directories: '' }
      : { listen_addresses: '', unix_socket_directories: host, unix_socket_permissions: '0700' }
  const max_connections = String(Math.max(connections, USUAL_CONNECTIONS))
  const all = Object.entries({ ...settings, ...place, max_connections, port: String(port) })
  return ['-D', cluster, ...all.flatMap(([name, value]) => ['-c', `${name}=${value}`])]
}
