import type { AddressInfo } from 'node:net'
import { errorText, StartupError } from '../core/errors.ts'
import { type Config, localUrl } from '../platform/config/config.ts'
import type { RegisteredRoutes } from '../platform/http/plugins/methods.ts'
import type { HttpServer } from '../platform/http/server.ts'
import type { Logger } from '../platform/logging/logger.ts'
import { type Family, labelled } from '../platform/metrics/index.ts'
import { createApi } from './api.ts'
import { registerAppMetrics } from './app-metrics.ts'
import { startRelayRole, startSchedulerRole, startWorkerRole } from './roles.ts'
import { type ProcessGroup, startServices } from './services.ts'

/** Time limit for requests in progress at a shutdown. */
const DRAIN_MS = 5_000

export interface App extends AsyncDisposable {
  /** URL of the server, such as http://localhost:8000. */
  url: string
  /** The single-use link that creates the first admin, a secret; undefined if none is needed or this process has no API. */
  setupLink: string | undefined
  /** The routes that are served, by path and method. */
  routes: RegisteredRoutes
  metrics(): Promise<Family[]>
}

/**
 * Starts the whole program. When it resolves, requests are served. Disposing it stops accepting, answers requests in
 * progress, closes sockets with 1001, finishes jobs and stops the database.
 */
export async function startApp(config: Config, log: Logger, workers?: ProcessGroup): Promise<App> {
  await using stack = new AsyncDisposableStack()
  const parts = stack.use(await startServices(config, log, workers))
  const { metrics, has, auth } = parts
  registerAppMetrics(parts)
  const ownMetrics = async () =>
    labelled(await metrics.collect(), workers ? { worker: String(workers.index) } : {})
  const { app: http, routes } = await createApi(parts, ownMetrics)
  stack.defer(() => drain(http))
  stack.defer(() => parts.jobWorker.close()) // Deferred here, so that jobs finish while requests are still answered.
  await http.listen({ host: config.HOST, port: config.PORT }).catch((error) => {
    throw new StartupError(listenMistake(error, config))
  })
  if (has('worker')) stack.use(await startWorkerRole(parts))
  if (has('relay')) stack.use(await startRelayRole(parts))
  if (has('scheduler')) stack.use(await startSchedulerRole(parts))
  // Only processes with the role `api` serve the page of the link.
  const setupPath = has('api') ? await auth.setupPath() : undefined

  // Nothing below may fail: from here on the caller disposes of what was started.
  const owned = stack.move()
  const { port } = http.server.address() as AddressInfo
  const url = localUrl(config.HOST, port)
  return {
    url,
    setupLink: setupPath && url + setupPath,
    routes,
    metrics: ownMetrics,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function listenMistake(error: NodeJS.ErrnoException, { HOST, PORT }: Config): string {
  return error.code === 'EADDRINUSE'
    ? `PORT ${PORT} on ${HOST} is in use by another program; stop it, or set another PORT`
    : `HOST and PORT cannot be listened on: ${errorText(error)}; set another HOST or PORT`
}

/** Closes the server after answering requests in progress. Requests that exceed the time limit are cut off. */
async function drain(http: HttpServer): Promise<void> {
  const timer = setTimeout(() => http.server.closeAllConnections(), DRAIN_MS)
  await http.close()
  clearTimeout(timer)
}
