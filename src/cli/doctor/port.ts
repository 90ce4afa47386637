import { once } from 'node:events'
import { createServer } from 'node:net'
import { errorText } from '../../core/errors.ts'
import { type Config, localUrl } from '../../platform/config/config.ts'
import { type Finding, failure, inTime, ok } from './finding.ts'

/** Whether PORT is free, or a Taskwire server answers there and is ready. */
export async function checkPort({ HOST, PORT }: Config): Promise<Finding> {
  if (PORT === 0) return ok('port', 'PORT is 0: a free one is taken')
  try {
    const server = createServer().listen({ host: HOST, port: PORT, exclusive: true })
    await once(server, 'listening')
    server.close()
    return ok('port', `${PORT} on ${HOST} is free; no server runs there`)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') return whoListens(HOST, PORT)
    const advice =
      code === 'EACCES'
        ? 'set a PORT above 1023'
        : 'set HOST to an address of this machine, such as 127.0.0.1'
    return failure('port', `${PORT} on ${HOST} cannot be listened on: ${errorText(error)}`, advice)
  }
}

async function whoListens(host: string, port: number): Promise<Finding> {
  const url = `${localUrl(host, port)}/health/ready`
  try {
    const { checks, detail } = await inTime(async (signal) => {
      const answer = await fetch(url, { signal, redirect: 'error' })
      return (await answer.json()) as { checks?: unknown; detail?: string }
    })
    if (checks === undefined) throw new Error('it is another program')
    return detail === undefined
      ? ok('port', `a Taskwire server answers at ${url}, and is ready`)
      : failure('port', `the Taskwire server at ${url} is not ready: ${detail}`, 'see its log')
  } catch (error) {
    return failure(
      'port',
      `${port} on ${host} is in use, and no Taskwire server answers there: ${errorText(error)}`,
      'stop the program that listens there, or set another PORT',
    )
  }
}
