import { once } from 'node:events'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { PASSWORD, register } from '../../../test/support/accounts.ts'
import { startTestApp } from '../../../test/support/app.ts'
import { compile, consumerConfig, installBuiltPackage, packageFolder } from './support/built-package.ts'
import { chromium, openPage } from './support/chromium.ts'
import { startCuttingProxy } from './support/cutting-proxy.ts'

// The example page with the published package, unbundled, in a real browser, from another origin.

const soon = { timeout: 20_000, interval: 20 }

/** What the page looks like, told by itself whenever it changes. */
interface Seen {
  title: string
  text: string
  tokens: { access_token: string; refresh_token: string } | undefined
}

const html = `<!doctype html>
<title>-</title>
<form><input name="username" value="anna"><input name="password" value="${PASSWORD}"></form>
<ul></ul>
<script type="importmap">{"imports":{"@taskwire/client":"/client/index.js"}}</script>
<script>
  async function tell() {
    const tokens = JSON.parse(localStorage.getItem('taskwire')) ?? undefined
    const seen = { title: document.title, text: document.querySelector('ul').textContent, tokens }
    const answer = await fetch('/seen', { method: 'POST', body: JSON.stringify(seen) })
    if ((await answer.text()) === 'come back later') {
      localStorage.setItem('taskwire', JSON.stringify({ ...tokens, access_token: 'expired' }))
      location.reload()
    }
  }
  new MutationObserver(tell).observe(document, { subtree: true, childList: true, characterData: true })
</script>
<script type="module" src="/page.js"></script>
<script type="module">if (!localStorage.getItem('taskwire')) document.querySelector('form').requestSubmit()</script>`

test.runIf(chromium)(
  'the example page logs in, hears everything, and refreshes its session',
  async () => {
    using consumer = installBuiltPackage()
    const pages = createServer((request, response) => void answer(request, response))
    const seen: Seen[] = []
    let order = ''
    const files = join(consumer.folder, 'page/dist')
    async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const { method, url = '' } = request
      if (method === 'POST') {
        let body = ''
        for await (const chunk of request.setEncoding('utf8')) body += chunk
        seen.push(JSON.parse(body))
        response.end(order)
        order = ''
      } else if (url === '/') {
        response.setHeader('content-type', 'text/html').end(html)
      } else if (/^[\w/-]+\.js$/.test(url)) {
        response.setHeader('content-type', 'text/javascript').end(readFileSync(join(files, url)))
      } else {
        response.writeHead(404).end()
      }
    }
    pages.listen(0, '127.0.0.1')
    await once(pages, 'listening')
    const origin = `http://localhost:${(pages.address() as AddressInfo).port}`
    await using app = await startTestApp({ AUTH_MODE: 'required', CORS_ORIGINS: origin })
    await using proxy = await startCuttingProxy(app.url, { random: Math.random, mostBytes: 8_000 })
    proxy.isCalm = true
    buildPage(consumer.folder, proxy.url)
    cpSync(join(consumer.installed, 'dist'), join(files, 'client'), { recursive: true })
    const { access_token } = await register(app, 'anna')
    const create = (title: string) =>
      app.send('POST', '/tasks', { title }, { authorization: `Bearer ${access_token}` })

    await using _browser = openPage(origin)
    await vi.waitFor(() => expect(seen.at(-1)?.title).toBe('Taskwire: live'), soon)
    const first = seen.at(-1)!.tokens!

    // It comes back with an access token that is no longer taken.
    order = 'come back later'
    await create('unheard')
    await vi.waitFor(() => expect(seen.at(-1)!.tokens!.refresh_token).not.toBe(first.refresh_token), soon)
    await vi.waitFor(() => expect(seen.at(-1)!.title).toBe('Taskwire: live'), soon)
    await create('<0>')
    await vi.waitFor(() => expect(seen.at(-1)!.text).toBe('<0>'), soon)

    proxy.isCalm = false
    let all = '<0>'
    for (let i = 1; proxy.cuts < 8; i++) {
      const title = `<${i} дело 😀>`
      all += title
      await create(title)
      await vi.waitFor(() => expect(seen.at(-1)!.text).toBe(all), soon)
    }
    expect(seen.some(({ title }) => title === 'Taskwire: waiting')).toBe(true)
    pages.closeAllConnections()
    pages.close()
  },
  300_000,
)

/** Compiles the example for a browser that finds the server at `url`. */
function buildPage(folder: string, url: string): void {
  const source = join(folder, 'page')
  mkdirSync(source)
  const text = readFileSync(join(packageFolder, 'examples/page.ts'), 'utf8')
  writeFileSync(join(source, 'page.ts'), text.replace('http://localhost:8000', url))
  const options = {
    module: 'esnext',
    moduleResolution: 'bundler',
    target: 'es2022',
    noEmit: false,
    outDir: 'dist',
    types: [],
  }
  const lib = ['es2022', 'dom', 'dom.iterable']
  writeFileSync(join(source, 'tsconfig.json'), JSON.stringify(consumerConfig({ ...options, lib })))
  compile('-p', source)
}
