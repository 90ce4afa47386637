import { expect } from 'vitest'
import { mark } from './owned-things.ts'
import { type Caller, type Reply, seesAll, type World } from './route-matrix.ts'

/**
 * The number of rows of each table and its last change; of API tokens the number, since they keep their last use, and
 * of deliveries, which go on by themselves; of webhooks what their owners decide; attachments that are not deleted yet.
 */
export async function state({ app }: World): Promise<object> {
  const tables =
    'tasks task_runs job_secrets events users sessions revocations tickets import_runs imported_todos currencies currency_rates'.split(
      ' ',
    )
  const changes = tables.map(
    (name) => `(SELECT row(count(*), max(xmin::text::bigint))::text FROM ${name}) AS ${name}`,
  )
  const [row] =
    await app.database.rows(`SELECT ${changes}, (SELECT count(*) FROM api_tokens) AS api_tokens, (SELECT count(*) FROM calendar_feeds) AS calendar_feeds,
    (SELECT count(*) FROM webhook_deliveries) AS webhook_deliveries,
    (SELECT row(count(*), max(id))::text FROM attachments WHERE attached AND task_id IS NOT NULL) AS attachments,
    (SELECT json_agg(row(id, url, types, description, enabled, secret) ORDER BY id) FROM webhooks) AS webhooks`)
  return row!
}

/** A refusal is problem details and tells nothing of anybody; what is granted tells a user of their own things only. */
export function expectDiscreet(
  { status, headers, text }: Reply,
  method: string,
  path: string,
  caller: Caller,
): void {
  const all = JSON.stringify([...headers, text])
  const owners = [...all.matchAll(/of-(anna|boris|root|carl|dora|nobody)/g)].map(([one]) => one)
  if (status < 400) {
    // What is below /auth is one's own whoever one is.
    if (seesAll(caller) && !path.startsWith('/auth/')) return
    expect(owners.filter((owner) => !caller.user || owner !== mark(caller.user))).toEqual([])
    return
  }
  expect(owners).toEqual([])
  // A browser asks for that page.
  if (method !== 'POST' && path.startsWith('/auth/setup')) return
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/)
  if (status === 401) expect(headers.get('www-authenticate')).toMatch(/^Bearer/)
  if (method !== 'HEAD') expect(JSON.parse(text)).toMatchObject({ status, instance: path.split('?')[0] })
}
