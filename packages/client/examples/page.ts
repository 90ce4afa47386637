import { createClient, type Tokens } from '@taskwire/client'

const url = 'http://localhost:8000'
const session = {
  load: (): Tokens | undefined => JSON.parse(localStorage.getItem('taskwire') ?? 'null') ?? undefined,
  save: (tokens: Tokens | undefined) => localStorage.setItem('taskwire', JSON.stringify(tokens ?? null)),
}
const taskwire = createClient({ url, session })

document.querySelector('form')!.addEventListener('submit', async (submit) => {
  submit.preventDefault()
  const form = new FormData(submit.target as HTMLFormElement)
  const body = { username: String(form.get('username')), password: String(form.get('password')) }
  session.save((await taskwire.request('POST /auth/login', { body })).data)
  await show()
})
if (session.load()) await show()

/** Shows new tasks for as long as the session lasts; access tokens are renewed on the way. */
async function show(): Promise<void> {
  const onState = ({ state }: { state: string }) => {
    document.title = `Taskwire: ${state}`
  }
  for await (const event of taskwire.events({ types: ['task_created'], onState })) {
    if (event.type === 'task_created') document.querySelector('ul')!.append(event.data.task.title)
  }
}
