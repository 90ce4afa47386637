import { registerConsumers } from '../events/event-consumers.ts'
import { type Bus, openBus } from '../events/nats/index.ts'
import { createSignal, type Signal } from '../events/signal.ts'
import { Sockets } from '../events/sockets.ts'
import { EventSources } from '../events/sse-readers.ts'
import { type Attachments, createAttachments } from '../features/attachments/index.ts'
import { type Auth, createAuth } from '../features/auth/index.ts'
import { importJob } from '../features/imports/index.ts'
import {
  createTaskWeather,
  type TaskServiceDeps,
  type TaskWeather,
  taskMessageSchema,
} from '../features/tasks/index.ts'
import {
  basicJobTypes,
  createExecutables,
  type Executables,
  type JobType,
  type JobWorkerHandle,
  jobSchema,
  openTaskQueue,
  openWeatherFill,
  startJobWorker,
  startTaskIntake,
  type TaskQueue,
  type WeatherFill,
} from '../features/tasks/jobs/index.ts'
import { openWeatherSource } from '../features/weather/index.ts'
import {
  createSecretBox,
  type DeliveryQueue,
  openDeliveryQueue,
  type SecretBox,
  WEBHOOK_CONSUMER,
} from '../features/webhooks/index.ts'
import type { Config, ProcessRole } from '../platform/config/config.ts'
import type { ConnectionOptions } from '../platform/database/database.ts'
import { bodyValidator } from '../platform/http/validation.ts'
import type { Logger } from '../platform/logging/logger.ts'
import type { RabbitMqIntake } from '../platform/messaging/rabbitmq/index.ts'
import {
  createMetrics,
  type Family,
  type Metrics,
  registerProcessMetrics,
} from '../platform/metrics/index.ts'
import { type AddressGuard, createAddressGuard } from '../platform/outbound/address-guard.ts'
import { type JobQueues, openJobQueues } from '../platform/queue/index.ts'
import { type CounterFactory, memoryCounter } from '../platform/rate-limit/index.ts'
import { openRedis, type Redis } from '../platform/redis/redis.ts'
import { type Core, startCore } from './core.ts'
import { schemaRegistry } from './schema-registry.ts'

/** Sibling processes that share the listening port. */
export interface ProcessGroup {
  /** Index of this process, from 1. */
  index: number
  connection: ConnectionOptions
  counters: CounterFactory
  /** Returns the metrics of each process, including this one. */
  metricsOfAll: () => Promise<Family[][]>
}

/** The services that the roles of a process use. */
export interface Services extends Omit<Core, typeof Symbol.asyncDispose>, AsyncDisposable {
  config: Config
  log: Logger
  has(role: ProcessRole): boolean
  processGroup: ProcessGroup | undefined
  metrics: Metrics
  redis: Redis | undefined
  /** NATS, if it is configured and a role of the process uses it. */
  bus: Bus | undefined
  /** Creates rate-limit counters if there is no Redis. */
  counters: CounterFactory
  auth: Auth
  attachments: Attachments
  queues: JobQueues
  /** The queue of task jobs. */
  queue: TaskQueue
  jobTypes: readonly JobType[]
  /** Dependencies of the services of tasks, their batches and their jobs. */
  taskDeps: TaskServiceDeps & { executables: Executables }
  jobWorker: JobWorkerHandle
  /** The weather of tasks. `weatherFill` fetches it later; it is undefined if weather is off. */
  weather: TaskWeather
  weatherFill: WeatherFill | undefined
  /** RabbitMQ, if it is configured and the process has the role `relay`. */
  intake: RabbitMqIntake | undefined
  /** The sender of webhooks. */
  sending: { queue: DeliveryQueue; secrets: SecretBox; guard: AddressGuard }
  sockets: Sockets
  sources: EventSources
}

/** Starts the services that all roles need. */
export async function startServices(
  config: Config,
  log: Logger,
  workers: ProcessGroup | undefined,
): Promise<Services> {
  await using stack = new AsyncDisposableStack()
  const has = (role: ProcessRole) => config.ROLES.includes(role)
  const metrics = createMetrics()
  stack.use(registerProcessMetrics(metrics))
  let signal: Signal | undefined
  const core = stack.use(
    await startCore(config, log, {
      onChange: () => signal?.send(),
      connection: workers?.connection,
      metrics,
    }),
  )
  const { db, stream, importers, runner, changed } = core
  await stream.start()
  if (has('api')) await registerConsumers(db, stream, [WEBHOOK_CONSUMER])
  signal = stack.use(createSignal(db, () => stream.wake()))
  const sockets = stack.use(new Sockets())
  const sources = new EventSources()
  stack.defer(() => sources.close())
  const redis = config.REDIS_URL ? stack.use(await openRedis(config.REDIS_URL, log)) : undefined
  const bus =
    config.natsUrl && (has('api') || has('relay'))
      ? stack.use(await openBus({ url: config.natsUrl, subject: config.NATS_SUBJECT, db, log }))
      : undefined
  const counters = workers?.counters ?? memoryCounter
  const onRevoked: Parameters<typeof createAuth>[0]['onRevoked'] = (revocation) => {
    sockets.revoke(revocation)
    sources.revoke(revocation)
  }
  const auth = stack.use(await createAuth({ db, log, config, redis, counters, onRevoked }))
  const attachments = stack.use(createAttachments({ db, config, log }))
  const queues = stack.use(await openJobQueues(core.connection, log, { schedules: has('scheduler') }))
  const queue = await openTaskQueue(queues)
  const types = [...basicJobTypes(config.JOB_HTTP_ALLOW), importJob({ importers, runner })]
  const executables = createExecutables(types, queue)
  const concurrency = has('worker') ? config.WORKER_CONCURRENCY : 0
  const worker = stack.use(startJobWorker({ db, queue, types, concurrency, log, onChange: changed }))
  const weatherSource = openWeatherSource({ config, redis, counters, log, metrics })
  if (weatherSource) stack.use(weatherSource)
  const weatherFill = weatherSource
    ? stack.use(await openWeatherFill({ queues, db, weather: weatherSource, log, onChange: changed }))
    : undefined
  const weather = createTaskWeather(weatherSource, () => weatherFill?.wake())
  const taskDeps = { executables, changed, wakeWorkers: worker.wakeAll, weather, log }
  const intake = has('relay')
    ? await startTaskIntake({
        config,
        db,
        tasks: taskDeps,
        check: bodyValidator(schemaRegistry, taskMessageSchema(jobSchema(types))),
        log,
      })
    : undefined
  if (intake) stack.use(intake)
  const sending = {
    queue: await openDeliveryQueue({ queues, log }),
    secrets: createSecretBox(auth.keys),
    guard: createAddressGuard(config.WEBHOOK_ALLOW),
  }
  const owned = stack.move()
  return {
    ...core,
    ...{
      config,
      log,
      has,
      processGroup: workers,
      metrics,
      redis,
      bus,
      counters,
      auth,
      attachments,
      queues,
      sockets,
      sources,
    },
    ...{ sending, queue, jobTypes: types, taskDeps, jobWorker: worker, weather, weatherFill, intake },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
