import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const BOUNDARY = 'a-boundary-of-the-bench'
const HEAD = Buffer.from(
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="bench.bin"\r\n\r\n`,
)
const TAIL = Buffer.from(`\r\n--${BOUNDARY}--\r\n`)
const WRITE_BYTES = 512 * 1024

/** A keep-alive connection that sends and takes files with as little work as there can be. */
export async function openTransfers(port: number): Promise<Transfers> {
  const socket = connect(port, '127.0.0.1').setNoDelay()
  await once(socket, 'connect')
  return new Transfers(socket)
}

export class Transfers implements Disposable {
  readonly #socket: Socket
  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Sends a file; returns the path of the attachment. */
  async upload(task: number, content: Buffer): Promise<string> {
    this.#socket.write(
      `POST /tasks/${task}/attachments HTTP/1.1\r\nHost: localhost\r\n` +
        `Content-Type: multipart/form-data; boundary=${BOUNDARY}\r\n` +
        `Content-Length: ${HEAD.length + content.length + TAIL.length}\r\n\r\n`,
    )
    this.#socket.write(HEAD)
    for (let at = 0; at < content.length; at += WRITE_BYTES)
      if (!this.#socket.write(content.subarray(at, at + WRITE_BYTES))) await once(this.#socket, 'drain')
    this.#socket.write(TAIL)
    const { head } = await this.#answer()
    const path = /^location: (\S+)/im.exec(head)?.[1]
    if (!head.startsWith('HTTP/1.1 201') || !path) throw new Error(`the upload was answered with ${head}`)
    return path
  }

  /** Takes a file; returns how many bytes it has. */
  async download(path: string): Promise<number> {
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    const { head, bytes } = await this.#answer()
    if (!head.startsWith('HTTP/1.1 200')) throw new Error(`the download was answered with ${head}`)
    return bytes
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  #answer(): Promise<{ head: string; bytes: number }> {
    return new Promise((resolve, reject) => {
      let start = Buffer.alloc(0)
      let head = ''
      let left = Number.POSITIVE_INFINITY
      let bytes = 0
      const onData = (chunk: Buffer) => {
        let body = chunk
        if (head === '') {
          start = Buffer.concat([start, chunk])
          const end = start.indexOf('\r\n\r\n')
          if (end === -1) return
          head = start.toString('latin1', 0, end)
          left = Number(/^content-length: (\d+)/im.exec(head)?.[1])
          body = start.subarray(end + 4)
        }
        bytes += body.length
        left -= body.length
        if (left > 0) return
        this.#socket.off('data', onData).off('close', onClose)
        resolve({ head, bytes })
      }
      const onClose = () => reject(new Error('the connection was closed'))
      this.#socket.on('data', onData).on('close', onClose)
    })
  }
}
