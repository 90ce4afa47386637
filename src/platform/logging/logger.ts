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
  /** Writes what is buffered, without waiting for it. */
  flush(): void
}

/** Lines are written when so many bytes wait or a second has passed, which keeps logging off the hot path. */
const BUFFER_BYTES = 8 * 1024
const FLUSH_MS = 1000
/** A pipe takes so many bytes as a whole (PIPE_BUF of POSIX is 512 at least, 4096 on Linux). */
const WHOLE_BYTES = 4096
/** What cannot be written beyond this is dropped. */
const MAX_WAITING_BYTES = 1024 * 1024

/**
 * Logs JSON lines to stdout (readable text on a terminal) and to `file`, unless that is `off`.
 * Disposing it writes what is still buffered. `shared`: other processes write to the same places, so
 * lines are written whole.
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
    stream.on('error', () => {}) // A full disk costs lines of the log, not the server.
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

// Not `flushSync`: on a full disk it tries again for ever. This ends with the first error.
async function close(file: ReturnType<typeof destination>): Promise<void> {
  await new Promise((resolve) => {
    file.once('close', resolve).once('error', resolve)
    file.end()
  })
  file.destroy()
}

// Loaded on a terminal only: a service does not pay for it.
async function pretty(): Promise<DestinationStream> {
  const { default: build } = await import('pino-pretty')
  return build({ colorize: true, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname', sync: true })
}

/** In these fields of its errors PostgreSQL quotes whole rows, such as the hash of a password. */
function withoutRows(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { detail: _detail, where: _where, ...rest } = stdSerializers.err(error)
  return rest
}

/** The `time` of a line; its text is made once a millisecond, since it costs more than the rest of a short line. */
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
