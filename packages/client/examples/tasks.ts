import { createClient, TaskwireError } from '@taskwire/client'

const taskwire = createClient({ url: 'http://localhost:8000', token: process.env.TASKWIRE_TOKEN })

const task = await taskwire.tasks.create({ title: 'Write it', city: 'Moscow' })
await taskwire.tasks.update(task.id, { status: 'done' }, { ifMatch: task.version })
for (const { id, title, status } of await taskwire.tasks.list({ sort: '-id', limit: 10 })) {
  console.log(id, title, status)
}

try {
  await taskwire.tasks.update(task.id, { title: 'Write it again' }, { ifMatch: task.version })
} catch (error) {
  if (!(error instanceof TaskwireError) || error.status !== 412) throw error
  console.log('Somebody was faster:', error.message)
}

const { data, headers } = await taskwire.request('GET /importers/{name}/runs', {
  path: { name: 'todos' },
  query: { limit: 5 },
})
console.log(data.length, 'runs, request', headers.get('x-request-id'))
