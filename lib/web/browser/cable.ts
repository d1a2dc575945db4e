import { type ClientRequest, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** A WebSocket handshake that went over the cable. */
export interface Handshake {
  at: number
  url: string
  token: string
  /** The status of the answer, 0 while there is none. */
  status: number
}

/**
 * The network cable of a browser: an HTTP proxy through which all its traffic goes, so that it can be cut for real.
 */
export interface Cable {
  readonly port: number
  readonly handshakes: Handshake[]
  /** The bytes of bodies that requests have sent. */
  readonly sent: number
  /** How many bytes of bodies pass in a second, so that a test can act in the middle of an upload. */
  bytesPerSecond: number
  /** Ends all connections and refuses others. */
  cut(): void
  /** Accepts connections again. */
  mend(): void
  /** Lets all present WebSockets stand, without anything coming through any more: what a sleeping computer finds. */
  silence(): void
  close(): Promise<void>
}

export async function layCable(): Promise<Cable> {
  const sockets = new Set<Socket>()
  const tunnels = new Set<Socket>()
  let isCut = false
  let sent = 0
  const handshakes: Handshake[] = []

  const server = createServer(forward)
  server.on('connection', (socket: Socket) => {
    if (isCut) return socket.destroy()
    add(sockets, socket)
  })
  server.on('connect', (message: IncomingMessage, client: Socket, head: Buffer) => {
    const [host, port] = message.url!.split(':')
    const target = connect(Number(port), host)
    add(sockets, target)
    add(tunnels, client)
    client.on('error', () => target.destroy())
    target.on('error', () => client.destroy())
    client.on('close', () => target.destroy())
    target.on('close', () => client.destroy())
    target.on('connect', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      target.write(head)
      watchHandshake(client, target)
      client.pipe(target)
      target.pipe(client)
    })
  })

  function watchHandshake(client: Socket, target: Socket): void {
    let found: Handshake | undefined
    let text = ''
    client.on('data', (chunk) => {
      if (found) return
      text += chunk.toString('latin1')
      if (!text.includes('\r\n\r\n')) return
      found = { at: Date.now(), url: text.split(' ')[1]!, token: /sec-websocket-protocol: *herald, *(\S+)/i.exec(text)?.[1] ?? '', status: 0 }
      handshakes.push(found)
    })
    target.once('data', (chunk) => {
      if (found) found.status = Number(chunk.toString('latin1').split(' ')[1])
    })
  }

  async function forward(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(message.url!, 'http://127.0.0.1')
    const ahead = request({ host: url.hostname, port: url.port, path: url.pathname + url.search, method: message.method, headers: message.headers })
    ahead.on('error', () => response.destroy())
    ahead.on('response', (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
      answer.on('error', () => response.destroy())
    })
    message.on('close', () => message.complete || ahead.destroy())
    try {
      for await (const chunk of message) {
        if (cable.bytesPerSecond < Infinity) await pause(chunk.length / cable.bytesPerSecond * 1000)
        sent += chunk.length
        if (!ahead.write(chunk)) await drained(ahead)
      }
      ahead.end()
    } catch {
      ahead.destroy()
    }
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cable: Cable = {
    port: (server.address() as AddressInfo).port,
    handshakes,
    get sent() { return sent },
    bytesPerSecond: Infinity,
    cut() {
      isCut = true
      for (const socket of sockets) socket.destroy()
    },
    mend: () => void (isCut = false),
    silence() {
      for (const client of tunnels) {
        client.unpipe()
        client.resume() // and forget what comes
        client.write = () => true
      }
      tunnels.clear()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return cable
}

// Waits until more can be written, or never will.
function drained(stream: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done)
      resolve()
    }
    if (stream.destroyed) done()
    else stream.on('drain', done).on('close', done)
  })
}

function add(set: Set<Socket>, socket: Socket): void {
  set.add(socket)
  socket.on('error', () => {})
  socket.on('close', () => set.delete(socket))
}
