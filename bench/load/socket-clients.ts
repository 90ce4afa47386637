/**
 * Many WebSocket clients in a process of their own, made cheap: raw sockets, of which only the frame
 * headers are looked at. Driven over IPC, see lib/socket-clients.ts.
 */
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Command, PostCommand, Report } from '../lib/socket-clients.ts'
import { FrameCounter } from './frame-counter.ts'

const REPORT_MS = 2
const HANDSHAKES_AT_ONCE = 50
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0])

const tell = (report: Report) => void process.send!(report)
const sockets: Socket[] = []
/** Text frames received, over all sockets. */
let frames = 0
let reported = 0
let onFrames = () => {}

process.on('message', (command: Command) => {
  if (command.do === 'connect') void open(command.port, command.path, command.count)
  else if (command.do === 'post') void post(command)
  else process.exit(0)
})
setInterval(() => {
  if (frames !== reported) tell({ frames })
  reported = frames
}, REPORT_MS)

async function open(port: number, path: string, count: number): Promise<void> {
  for (let i = 0; i < count; i += HANDSHAKES_AT_ONCE) {
    const some = Math.min(HANDSHAKES_AT_ONCE, count - i)
    await Promise.all(Array.from({ length: some }, () => openOne(port, path)))
  }
  tell({ open: sockets.length })
}

function openOne(port: number, path: string): Promise<void> {
  return new Promise((resolve) => {
    let greeting = ''
    const counter = new FrameCounter()
    const received = (size: number, buffer: Uint8Array): boolean => {
      const chunk = buffer.subarray(0, size)
      if (greeting !== 'done') {
        greeting += Buffer.from(chunk).toString('latin1')
        if (!greeting.endsWith('\r\n\r\n')) return true
        if (!greeting.startsWith('HTTP/1.1 101')) throw new Error(greeting)
        greeting = 'done'
        resolve()
        return true
      }
      counter.read(chunk)
      if (counter.pings > 0) socket.write(PONG)
      frames += counter.texts
      counter.reset()
      onFrames()
      return true
    }
    // One buffer for all: nothing of a chunk is kept.
    const socket = connect({ port, host: '127.0.0.1', onread: { buffer, callback: received } })
    socket.on('error', (error) => tell({ failed: error.message }))
    socket.on('close', () => tell({ failed: 'a socket was closed' }))
    socket.write(
      `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    )
    sockets.push(socket)
  })
}

/** Posts at a steady pace; for each, the time from its begin to the last socket's receipt of its event. */
async function post({ port, count, everyMs }: PostCommand): Promise<void> {
  const agent = new Agent({ keepAlive: true })
  const latencies: number[] = []
  const answers: number[] = []
  const base = frames
  const body = '{"title":"Prepare report"}'
  const headers = { 'content-type': 'application/json', 'content-length': body.length }
  const begin = performance.now()
  for (let i = 0; i < count; i++) {
    await delay(Math.max(0, begin + i * everyMs - performance.now()))
    const sent = performance.now()
    const wanted = base + (i + 1) * sockets.length
    const received = new Promise<void>((resolve) => {
      if (sockets.length === 0) resolve()
      onFrames = () => {
        if (frames >= wanted) resolve()
      }
    })
    const call = request({ port, host: '127.0.0.1', path: '/tasks', method: 'POST', agent, headers }).end(
      body,
    )
    const answered = once(call, 'response').then(([response]) => {
      answers.push(performance.now() - sent)
      response.resume()
    })
    await received
    latencies.push(performance.now() - sent)
    await answered
  }
  agent.destroy()
  tell({ latencies, answers })
}

const buffer = new Uint8Array(256 * 1024)
