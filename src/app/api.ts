import { version } from '../core/version.ts'
import { asyncApiDocument } from '../events/asyncapi.ts'
import { sseRoutes } from '../events/sse-routes.ts'
import { registerWebSocketRoutes } from '../events/websocket-routes.ts'
import { analyticsRoutes } from '../features/analytics/index.ts'
import { attachmentRoutes } from '../features/attachments/index.ts'
import { apiTokenRoutes, authRoutes, setupRoutes } from '../features/auth/index.ts'
import { calendarFeedRoutes, calendarRoutes, createCalendarFeedService } from '../features/calendar/index.ts'
import { currencyApi, currencyEventSchemas } from '../features/currencies/index.ts'
import { importEventSchemas, importRoutes, nextRun } from '../features/imports/index.ts'
import {
  createTaskBatches,
  createTaskService,
  statusLabel,
  taskBatchRoutes,
  taskEventSchemas,
  taskExportRoutes,
  taskPresenter,
  taskRoutes,
} from '../features/tasks/index.ts'
import { createJobService, jobRoutes, jobSchema } from '../features/tasks/jobs/index.ts'
import { createUserService, userRoutes } from '../features/users/index.ts'
import { createWebhooks, webhookCalls, webhookRoutes } from '../features/webhooks/index.ts'
import { installationId } from '../platform/database/installation-id.ts'
import { parseFormBodies } from '../platform/http/form-body.ts'
import { createWriter } from '../platform/http/idempotent-writer.ts'
import { healthRoutes } from '../platform/http/plugins/health.ts'
import { createHttpServer } from '../platform/http/server.ts'
import { type Family, mergeFamilies, metricsRoutes } from '../platform/metrics/index.ts'
import { createRateLimiter } from '../platform/rate-limit/index.ts'
import { schemaRegistry } from './schema-registry.ts'
import { serviceChecks } from './service-checks.ts'
import type { Services } from './services.ts'

const SOCKET_GRACE_MS = 1_000

type Routes = Parameters<Parameters<typeof createHttpServer>[0]['registerRoutes']>[0]

const eventSchemas = { ...taskEventSchemas, ...importEventSchemas, ...currencyEventSchemas }

/** Creates the HTTP server of a process: all routes with the role `api`, else health and metrics only. */
export function createApi(parts: Services, ownMetrics: () => Promise<Family[]>) {
  const { config, log, metrics, auth, sockets, sources, redis, counters, processGroup: workers } = parts
  const points = config.RATE_LIMIT_PER_MINUTE
  return createHttpServer({
    config,
    log,
    schemaRegistry,
    authenticator: auth.authenticator,
    limiter:
      points > 0
        ? createRateLimiter({ name: 'default', points, seconds: 60, redis, counters, log })
        : undefined,
    metrics,
    sentWebhooks: parts.has('api') ? webhookCalls(eventSchemas) : {},
    closeSockets: () => {
      sources.close()
      return sockets.close(SOCKET_GRACE_MS)
    },
    registerRoutes: (app) => {
      app.register(
        healthRoutes({
          ...serviceChecks(parts),
          roles: config.ROLES,
          worker: workers?.index ?? null,
        }),
      )
      app.register(
        metricsRoutes(workers ? async () => mergeFamilies(await workers.metricsOfAll()) : ownMetrics),
      )
      if (parts.has('api')) registerFeatures(app, parts)
    },
  })
}

function registerFeatures(app: Routes, parts: Services): void {
  const { config, log, db, stream, changed, auth, sockets, sources, queues, runner, importers } = parts
  const { taskDeps } = parts
  const jobDeps = { ...taskDeps, queue: parts.queue }
  const tasks = createTaskService(db, taskDeps)
  const write = createWriter({
    db,
    direct: tasks,
    on: (transaction) => createTaskService(transaction, taskDeps),
    actions: ['task.change'],
  })
  const writeBatch = createWriter({
    db,
    direct: createTaskBatches(db, taskDeps),
    on: (transaction) => createTaskBatches(transaction, taskDeps),
    actions: ['task.change'],
  })
  const writeJob = createWriter({
    db,
    direct: createJobService(db, jobDeps),
    on: (transaction) => createJobService(transaction, jobDeps),
    actions: ['task.change'],
  })
  const present = taskPresenter(config.STATUS_LABELS)
  const users = createUserService(db, {
    onRevoked: () => auth.revocations.check(),
    endSessions: (id) => auth.sessions.endAll(id),
  })
  const ofJobs = jobSchema(parts.jobTypes)
  app.register(taskRoutes({ tasks, write, present, jobSchema: ofJobs, weather: parts.weather }))
  app.register(taskExportRoutes({ tasks, present }))
  app.register(taskBatchRoutes({ write: writeBatch, present, jobSchema: ofJobs }))
  const feeds = createCalendarFeedService(db)
  app.register(calendarRoutes({ db, feeds, site: () => installationId(db) }))
  app.register(calendarFeedRoutes({ feeds, log }))
  app.register(analyticsRoutes({ db, statusLabel: statusLabel(config.STATUS_LABELS) }))
  app.register(jobRoutes({ db, tasks, write: writeJob, present }))
  app.register(attachmentRoutes(parts.attachments))
  app.register(currencyApi({ db, changed, publish: parts.bus?.publish, log }))
  app.register(
    importRoutes({
      db,
      runner,
      importers,
      nextRun: async (importer) => (config.IMPORTS === 'on' ? nextRun(queues, importer) : undefined),
    }),
  )
  app.register(userRoutes({ users, log }))
  app.register(
    webhookRoutes({ ...createWebhooks({ db, ...parts.sending, settled: () => stream.settled() }), log }),
  )
  app.register(authRoutes({ auth: auth.service, parseForms: parseFormBodies }))
  app.register(apiTokenRoutes({ apiTokens: auth.apiTokens, issueTicket: auth.gate.issueTicket, log }))
  app.register(setupRoutes({ db, ...auth, log, parseForms: parseFormBodies }))
  const events = asyncApiDocument(version, eventSchemas)
  app.get('/asyncapi.json', { schema: { hide: true } }, async () => events)
  app.register(sseRoutes({ stream, sources, gate: auth.gate }))
  registerWebSocketRoutes(app, { stream, sockets, gate: auth.gate, log })
}
