import { openSync } from 'node:fs'
import {
  type DestinationStream,
  destination,
  type Logger,
  multistream,
  pino,
  type StreamEntry,
  stdSerializers,
} from 'pino'
import { errorText } from '../../core/errors.ts'

export type { Logger }

export interface Log extends AsyncDisposable {
  logger: Logger
  /** Starts writing the buffered lines, without waiting for the result. */
  flush(): void
}

/** Number of buffered bytes that starts a write; a second also does. This keeps logging off the hot path. */
const BUFFER_BYTES = 8 * 1024
const FLUSH_MS = 1000
/** Number of bytes that a pipe writes atomically (PIPE_BUF is at least 512 in POSIX, 4096 on Linux). */
const WHOLE_BYTES = 4096
/** Maximum number of buffered bytes. Further lines are dropped. */
const MAX_WAITING_BYTES = 1024 * 1024

/**
 * Logs JSON lines to stdout (readable text on a terminal) and to `file`, unless that is `off`.
 * Disposing it writes the buffered lines. `shared`: other processes write to the same file, so each write
 * consists of whole lines.
 */
export async function openLog(options: { level: string; file: string; shared?: boolean }): Promise<Log> {
  const files: ReturnType<typeof destination>[] = []
  const open = (dest: number) => {
    const stream = destination({
      dest,
      sync: false,
      minLength: options.shared ? WHOLE_BYTES / 2 : BUFFER_BYTES,
      maxLength: MAX_WAITING_BYTES,
      ...(options.shared && { maxWrite: WHOLE_BYTES }),
    })
    stream.on('error', () => {}) // A full disk loses log lines but does not stop the server.
    files.push(stream)
    return stream
  }
  const level = options.level as 'info'
  const streams: StreamEntry[] = [{ level, stream: process.stdout.isTTY ? await pretty() : open(1) }]
  let fileError: unknown
  if (options.file !== 'off') {
    try {
      streams.push({ level, stream: open(openSync(options.file, 'a', 0o640)) })
    } catch (error) {
      fileError = error
    }
  }
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: isoTime(),
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: withoutRows },
    },
    multistream(streams),
  )
  if (fileError)
    logger.warn(`LOG_FILE cannot be written, the log goes to stdout only: ${errorText(fileError)}`)
  const flush = () => {
    for (const file of files) file.flush()
  }
  const timer = setInterval(flush, FLUSH_MS).unref()
  return {
    logger,
    flush,
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await Promise.all(files.map(close))
    },
  }
}

// `flushSync` would retry forever on a full disk. This stops at the first error.
async function close(file: ReturnType<typeof destination>): Promise<void> {
  await new Promise((resolve) => {
    file.once('close', resolve).once('error', resolve)
    file.end()
  })
  file.destroy()
}

// Loaded only on a terminal, so a service does not load it.
async function pretty(): Promise<DestinationStream> {
  const { default: build } = await import('pino-pretty')
  return build({ colorize: true, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname', sync: true })
}

/** Fields of PostgreSQL errors that quote whole rows, for instance with a password hash. */
function withoutRows(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { detail: _detail, where: _where, ...rest } = stdSerializers.err(error)
  return rest
}

/** Returns the `time` of a line. Its text is created once per millisecond, because it costs more than the rest of a short line. */
function isoTime(): () => string {
  let last = 0
  let text = ''
  return () => {
    const now = Date.now()
    if (now !== last) {
      last = now
      text = `,"time":"${new Date(now).toISOString()}"`
    }
    return text
  }
}
