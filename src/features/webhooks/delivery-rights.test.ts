import { expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { type Receiver, verified } from '../../../test/support/receiver.ts'
import { type Harness, KEY, useHarness } from '../../../test/support/webhook-harness.ts'
import { operator, type UserActor } from '../../core/actor.ts'
import { Frame } from '../../events/frame.ts'
import { insertUser } from '../users/index.ts'
import { purgeDeliveries } from './delivery-store.ts'

let harness: Harness
let receiver: Receiver
useHarness((...made) => {
  ;[harness, receiver] = made
})

let names = 0
async function user(role: 'user' | 'admin' = 'user'): Promise<UserActor> {
  const made = await insertUser(harness.db, { username: `user${++names}`, passwordHash: '', role })
  const { id, username } = made!
  return { kind: 'user', id, username, role, scopes: ['read', 'write'], epoch: 0, sessionId: 'x' }
}
const change = (id: number, set: string) =>
  harness.database.rows(`UPDATE users SET ${set} WHERE id = $1`, [id])
const create = (actor: UserActor | typeof operator, path: string) =>
  harness.services().webhooks.create(actor, { url: `${receiver.url}/${path}` })
const waitFor = (...paths: string[]) =>
  eventually(() => paths.every((path) => receiver.ids(`/${path}`).length > 0), `something at ${paths}`)

test('a user gets the events of their own things, an admin and the operator those of everybody and nobody', async () => {
  const [anna, boris, root] = [await user(), await user(), await user('admin')]
  for (const [actor, path] of [
    [anna, 'anna'],
    [boris, 'boris'],
    [root, 'root'],
    [operator, 'operator'],
  ] as const) {
    await create(actor, path)
  }
  const [ofAnna] = await harness.tell(1, { user_id: anna.id })
  const [ofBoris] = await harness.tell(1, { user_id: boris.id })
  const [ofNobody] = await harness.tell(1)
  const all = [ofAnna, ofBoris, ofNobody]
  await eventually(() => receiver.received.length === 8, 'eight messages')
  expect(receiver.ids('/anna')).toEqual([ofAnna])
  expect(receiver.ids('/boris')).toEqual([ofBoris])
  expect(receiver.ids('/root').sort()).toEqual(all)
  expect(receiver.ids('/operator').sort()).toEqual(all)
})

test('what an owner gets follows their present role', async () => {
  const [anna, root] = [await user(), await user('admin')]
  await create(root, 'root')
  await create(operator, 'operator')
  await change(root.id, "role = 'user'")
  await harness.tell(1, { user_id: anna.id })
  await waitFor('operator')
  const [own] = await harness.tell(1, { user_id: root.id })
  await waitFor('root')
  expect(receiver.ids('/root')).toEqual([own])
})

test('a disabled owner gets nothing, neither new events nor what waits', async () => {
  const anna = await user()
  const { id } = await create(anna, 'anna')
  receiver.answer(500)
  await harness.tell(1, { user_id: anna.id })
  await waitFor('anna')
  await change(anna.id, 'disabled = true')
  await harness.delivery(id, { state: 'failed', error: 'its owner may no longer read the event' })
  receiver.received.length = 0
  await create(operator, 'operator')
  await harness.tell(1, { user_id: anna.id })
  await waitFor('operator')
  expect(receiver.ids('/anna')).toEqual([])
  expect(await harness.deliveries(id)).toHaveLength(1)
})

test('a former admin is not sent, nor shown, what waited of others', async () => {
  const [anna, root] = [await user(), await user('admin')]
  const { id } = await create(root, 'root')
  receiver.answer(500)
  await harness.tell(1, { user_id: anna.id })
  await waitFor('root')
  await change(root.id, "role = 'user'")
  const row = await harness.delivery(id, { state: 'failed', error: 'its owner may no longer read the event' })
  const { deliveries } = harness.services()
  const demoted = { ...root, role: 'user' as const }
  expect(await deliveries.get(root, id, row.id)).toMatchObject({ event: { id: row.event_id } })
  expect(await deliveries.get(demoted, id, row.id)).toMatchObject({ event: null })

  receiver.answer(204)
  const before = receiver.received.length
  await deliveries.redeliver(demoted, id, row.id)
  await eventually(async () => (await harness.deliveries(id))[0]!.state === 'failed', 'it is refused again')
  expect(receiver.received).toHaveLength(before)
})

test('a delivery as the release before writes it is sent and shown to who may read its event, and to nobody else', async () => {
  const [anna, boris] = [await user(), await user()]
  const own = await create(anna, 'anna')
  const foreign = await create(boris, 'boris')
  for (const { id } of [own, foreign]) {
    receiver.answer(500)
    await harness.tell(1, { user_id: id === own.id ? anna.id : boris.id })
    await waitFor(id === own.id ? 'anna' : 'boris')
    // Both are about a resource of Anna's now, and have no audience.
    await harness.database.rows(
      'UPDATE webhook_deliveries SET event_audience = NULL, event_user_id = $2 WHERE webhook_id = $1',
      [id, anna.id],
    )
  }
  const { deliveries } = harness.services()
  const [ofAnna] = await harness.deliveries(own.id)
  const [ofBoris] = await harness.deliveries(foreign.id)
  expect(await deliveries.get(anna, own.id, ofAnna!.id)).toMatchObject({ event: { id: ofAnna!.event_id } })
  expect(await deliveries.get(boris, foreign.id, ofBoris!.id)).toMatchObject({ event: null })
  receiver.answer(204)
  await deliveries.redeliver(boris, foreign.id, ofBoris!.id)
  await harness.delivery(foreign.id, { state: 'failed', error: 'its owner may no longer read the event' })
  await deliveries.redeliver(anna, own.id, ofAnna!.id)
  await harness.delivery(own.id, { state: 'delivered' })
})

test('only the types that are asked for come', async () => {
  const { id } = await harness.create(`${receiver.url}/created`, ['task_created'])
  await harness.tell(1)
  const [created] = await harness.tell(1, { type: 'task_created' })
  await harness.delivery(id, { state: 'delivered', event_id: created! })
  expect(await harness.deliveries(id)).toHaveLength(1)
})

test('a new webhook does not get what was there before it, though the feed is behind', async () => {
  const before = harness.write(3)
  const { id } = await create(operator, 'new')
  await harness.hand(before)
  const [after] = await harness.tell()
  await harness.delivery(id, { state: 'delivered', event_id: after! })
  expect(await harness.deliveries(id)).toHaveLength(1)
})

test('an event that cannot be told, to anybody, is not sent', async () => {
  const { id } = await create(operator, 'told')
  const [untold, told] = harness.write(2)
  await harness.hand([new Frame({ ...untold!, audience: 'admins' }, ''), told!])
  await harness.delivery(id, { state: 'delivered', event_id: String(told!.id) })
  expect(await harness.deliveries(id)).toHaveLength(1)
})

test('while a webhook is disabled nothing is collected, and nothing sent', async () => {
  const { id } = await create(operator, 'off')
  receiver.answer(500)
  await harness.tell(3)
  await waitFor('off')
  await harness.services().webhooks.change(operator, id, { enabled: false })
  const attempts = async () => receiver.received.length
  await eventually(
    async () => (await harness.deliveries(id)).every(({ state }) => state === 'failed'),
    'what waited is over',
  )
  const before = await attempts()
  await harness.tell(3)
  await create(operator, 'on')
  await harness.tell(1)
  await waitFor('on')
  expect(receiver.ids('/off')).toHaveLength(before)
  expect(await harness.deliveries(id)).toHaveLength(3)
})

test('for a day after a new secret messages are signed with both, then with the new one', async () => {
  const { id, secret: old } = await create(operator, 'rotated')
  const renewed = await harness.services().webhooks.renewSecret(operator, id)
  expect(renewed.secret).not.toBe(old)
  const left = Date.parse(renewed.old_secret_until!) - Date.now()
  expect(left / 3_600_000).toBeCloseTo(24, 1)
  await harness.tell()
  await eventually(() => receiver.received.length === 1, 'it comes')
  for (const secret of [renewed.secret, old]) verified(secret, receiver.received[0]!)

  await harness.database.rows("UPDATE webhooks SET old_secret_until = now() - interval '1 s'")
  expect(await harness.webhook(id)).toMatchObject({ old_secret_until: null })
  await harness.tell()
  await eventually(() => receiver.received.length === 2, 'the next comes')
  verified(renewed.secret, receiver.received[1]!)
  expect(() => verified(old, receiver.received[1]!)).toThrow('No matching signature found')
})

test('SECRET_KEY is changed by listing the new one first; a start with both, and the old one can go', async () => {
  const next = 'the next key of the webhook tests, long enough'
  const { id, secret } = await create(operator, 'kept')
  await harness.services().webhooks.renewSecret(operator, id)
  await harness.restart([next, KEY])
  await harness.restart([next])
  await harness.tell()
  await eventually(() => receiver.received.length === 1, 'it comes')
  verified(secret, receiver.received[0]!)
  expect(harness.logged.filter(({ msg }) => String(msg).includes('kept under the new'))).toHaveLength(1)
  await harness.restart()
})

test('without the key it was made with a secret signs nothing: it is tried again, and said in the log', async () => {
  const { id } = await create(operator, 'lost')
  await harness.restart(['another key of the webhook tests, long enough'])
  await harness.tell()
  const error = 'its secret cannot be read with the present SECRET_KEY; renew it'
  await harness.delivery(id, { error, response_status: null })
  expect(receiver.received).toEqual([])
  const warnings = harness.logged.filter((line) => line.webhookId === id && line.level === 40)
  expect(warnings.map(({ msg }) => msg)).toEqual([expect.stringContaining('cannot be read')])
  const { secret } = await harness.services().webhooks.renewSecret(operator, id)
  await harness.tell()
  await eventually(() => receiver.received.length > 0, 'with a new secret they come')
  verified(secret, receiver.received[0]!)
  await harness.restart()
})

test('deliveries go with time, those that wait later than the others', async () => {
  const { id } = await create(operator, 'old')
  const ids = await harness.tell(4)
  await eventually(() => receiver.received.length === 4, 'they come')
  const set = (event: string, age: string, state: string) =>
    harness.database.rows(
      'UPDATE webhook_deliveries SET created_at = now() - $2::interval, state = $3 WHERE event_id = $1',
      [event, age, state],
    )
  await set(ids[0]!, '8 days', 'delivered')
  await set(ids[1]!, '8 days', 'waiting')
  await set(ids[2]!, '10 days', 'waiting')
  await set(ids[3]!, '6 days', 'failed')
  expect(await purgeDeliveries(harness.db, 7, 5000)).toBe(2)
  expect((await harness.deliveries(id)).map(({ event_id: event }) => event)).toEqual([ids[1], ids[3]])
})
