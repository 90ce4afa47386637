import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { DomainError } from '../core/errors.ts'
import { problems } from '../core/problem.ts'
import type { Database } from '../database/database.ts'
import type { Importer, ImportRun } from './importer.ts'
import { listRuns } from './run-store.ts'
import type { ImportRunner } from './runner.ts'
import type { ImportSchedule } from './schedule.ts'

const run = {
  run_id: 1,
  importer: 'todos',
  trigger: 'manual',
  state: 'succeeded',
  started_at: '2025-12-15T12:00:31.168401Z',
  finished_at: '2025-12-15T12:00:31.502177Z',
  created_count: 200,
  updated_count: 0,
  skipped_count: 0,
  error: null,
}
const time = { format: 'date-time' }
const RunSchema = Type.Object(
  {
    run_id: Type.Integer(),
    importer: Type.String(),
    trigger: Type.String({ enum: ['schedule', 'manual'] }),
    state: Type.String({ enum: ['running', 'succeeded', 'failed'] }),
    started_at: Type.String(time),
    finished_at: Type.Union([Type.String(time), Type.Null()]),
    created_count: Type.Integer(),
    updated_count: Type.Integer(),
    skipped_count: Type.Integer(),
    error: Type.Union([Type.String(), Type.Null()]),
  },
  { title: 'ImportRun', examples: [run] },
)
const ImporterSchema = Type.Object(
  {
    name: Type.String(),
    source: Type.String(),
    interval_seconds: Type.Integer(),
    state: Type.String({ enum: ['idle', 'running'] }),
    next_run_at: Type.Union([Type.String(time), Type.Null()], {
      description: 'null while schedules are off',
    }),
    last_run: Type.Union([RunSchema, Type.Null()]),
  },
  {
    title: 'Importer',
    examples: [
      {
        name: 'todos',
        source: 'https://jsonplaceholder.typicode.com/todos',
        interval_seconds: 300,
        state: 'idle',
        next_run_at: '2025-12-15T12:05:31.000000Z',
        last_run: run,
      },
    ],
  },
)
const NameParams = Type.Object({ name: Type.String({ examples: ['todos'] }) })

export function importRoutes(deps: {
  db: Database
  runner: ImportRunner
  importers: Importer[]
  /** Undefined while schedules are off, or not yet started. */
  schedule: () => ImportSchedule | undefined
}): FastifyPluginCallbackTypebox {
  const { db, runner, importers, schedule } = deps

  function named(name: string): Importer {
    const importer = importers.find((candidate) => candidate.name === name)
    if (!importer) {
      throw new DomainError(
        'not-found',
        `There is no importer "${name.slice(0, 100)}"; there are ${importers.map((i) => i.name).join(', ')}.`,
      )
    }
    return importer
  }

  async function runNow(name: string): Promise<ImportRun> {
    const finished = (await runner.run(named(name), 'manual'))!
    if (finished.state === 'failed') {
      throw new DomainError('upstream', `Run ${finished.run_id} of "${name}" failed: ${finished.error}.`)
    }
    return finished
  }

  async function describe(importer: Importer) {
    const [[last], next] = await Promise.all([listRuns(db, importer.name, 1), schedule()?.nextRun(importer)])
    return {
      name: importer.name,
      source: importer.source,
      interval_seconds: importer.intervalSeconds,
      state: last?.state === 'running' ? 'running' : 'idle',
      next_run_at: next ? next.toISOString().replace('Z', '000Z') : null,
      last_run: last ?? null,
    }
  }

  return (app, _options, done) => {
    app.addHook('onRoute', (route) => {
      route.schema = { tags: ['importers'], ...route.schema }
    })

    app.get(
      '/importers',
      {
        schema: {
          summary: 'List importers with their last run',
          response: { 200: Type.Array(ImporterSchema), ...problems() },
        },
      },
      async () => Promise.all(importers.map(describe)),
    )

    app.get(
      '/importers/:name/runs',
      {
        schema: {
          summary: 'History of an importer, newest first',
          params: NameParams,
          querystring: Type.Object(
            { limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }) },
            { additionalProperties: false },
          ),
          response: { 200: Type.Array(RunSchema), ...problems(404, 422) },
        },
      },
      async (request) => listRuns(db, named(request.params.name).name, request.query.limit),
    )

    app.post(
      '/importers/:name/run',
      {
        schema: {
          summary: 'Run an importer now',
          description: 'Answers when the run is done; one that is under way is waited for first.',
          params: NameParams,
          response: { 200: RunSchema, ...problems(404, 409, 502) },
        },
      },
      async (request) => runNow(request.params.name),
    )

    app.post(
      '/task-generator/run',
      {
        schema: {
          summary: 'Run the importer "todos" now',
          description: 'Answers when the run is done.',
          response: {
            200: Type.Object(
              {
                message: Type.String(),
                tasks_created: Type.Integer(),
                tasks_updated: Type.Integer(),
                tasks_skipped: Type.Integer(),
                run_id: Type.Integer(),
              },
              {
                examples: [
                  {
                    message: 'Background task executed successfully',
                    tasks_created: 200,
                    tasks_updated: 0,
                    tasks_skipped: 0,
                    run_id: 1,
                  },
                ],
              },
            ),
            ...problems(409, 502),
          },
        },
      },
      async () => {
        const finished = await runNow('todos')
        return {
          message: 'Background task executed successfully',
          tasks_created: finished.created_count,
          tasks_updated: finished.updated_count,
          tasks_skipped: finished.skipped_count,
          run_id: finished.run_id,
        }
      },
    )
    done()
  }
}
