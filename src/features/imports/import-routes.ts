import type {} from '@fastify/swagger'
import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import type { Actor } from '../../core/actor.ts'
import { authorize } from '../../core/authorization.ts'
import { DomainError } from '../../core/errors.ts'
import type { Database } from '../../platform/database/database.ts'
import { ListRunsSchema } from '../../platform/http/page.ts'
import { problems } from '../../platform/http/problem.ts'
import { listImportRuns } from './import-run-store.ts'
import {
  GeneratedSchema,
  ImporterListSchema,
  ImportRunListSchema,
  ImportRunSchema,
  NameParams,
  StartedSchema,
} from './import-schemas.ts'
import type { Importer, ImportRun } from './importer.ts'
import type { ImportRunner } from './runner.ts'

export function importRoutes(deps: {
  db: Database
  runner: ImportRunner
  importers: Importer[]
  /** Returns when the next run is due; undefined if none is scheduled. */
  nextRun: (importer: Importer) => Promise<Date | undefined>
}): FastifyPluginCallbackJsonSchemaToTs {
  const { db, runner, importers, nextRun } = deps

  function named(name: string): Importer {
    const importer = importers.find((candidate) => candidate.name === name)
    if (!importer) {
      throw new DomainError(
        'not-found',
        `Importer "${name.slice(0, 100)}" does not exist. Importers: ${importers.map((i) => i.name).join(', ')}.`,
      )
    }
    return importer
  }

  async function runNow(actor: Actor, name: string): Promise<ImportRun> {
    authorize(actor, 'import.run')
    const finished = (await runner.run(named(name), 'manual'))!
    if (finished.state === 'failed') {
      throw new DomainError('upstream', `Run ${finished.run_id} of "${name}" failed: ${finished.error}.`)
    }
    return finished
  }

  async function describe(importer: Importer) {
    const [[last], next] = await Promise.all([listImportRuns(db, importer.name, 1), nextRun(importer)])
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
          summary: 'List the importers with their last run',
          response: { 200: ImporterListSchema, ...problems() },
        },
      },
      async ({ actor }) => {
        authorize(actor, 'import.read')
        return Promise.all(importers.map(describe))
      },
    )

    app.get(
      '/importers/:name/runs',
      {
        schema: {
          summary: 'List the runs of an importer, newest first',
          params: NameParams,
          querystring: ListRunsSchema,
          response: { 200: ImportRunListSchema, ...problems(404, 422) },
        },
      },
      async ({ actor, params, query }) => {
        authorize(actor, 'import.read')
        return listImportRuns(db, named(params.name).name, query.limit)
      },
    )

    app.post(
      '/importers/:name/run',
      {
        schema: {
          summary: 'Run an importer now',
          description:
            'Responds when the run has finished. If another run is in progress, it first waits for that one.',
          params: NameParams,
          response: { 200: ImportRunSchema, ...problems(404, 409, 502) },
        },
      },
      async ({ actor, params }) => runNow(actor, params.name),
    )

    app.post(
      '/task-generator/run',
      {
        schema: {
          summary: 'Run the importer "todos" now',
          description: 'Responds when the run has finished.',
          response: {
            200: GeneratedSchema,
            ...problems(409, 502),
          },
        },
      },
      async ({ actor }) => {
        const finished = await runNow(actor, 'todos')
        return {
          message: 'Background task executed successfully',
          tasks_created: finished.created_count,
          tasks_updated: finished.updated_count,
          tasks_skipped: finished.skipped_count,
          run_id: finished.run_id,
        }
      },
    )
    app.post(
      '/tasks/run',
      {
        schema: {
          summary: 'Start the importer "currencies"',
          description:
            'Responds when the run has started. If a run is already in progress, its id is returned and no other run is started.',
          response: { 202: StartedSchema, ...problems(409) },
        },
      },
      async ({ actor }, reply) => {
        authorize(actor, 'import.run')
        const run_id = await runner.start(named('currencies'))
        return reply.code(202).send({ status: 'started', run_id })
      },
    )
    done()
  }
}
