import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { randomFrom } from './random.ts'

/** What the proxy does to frames, and how often. */
const faults = {
  /** Of handshakes: the connection ends before the answer, or the answer never comes, or the connection ends with it. */
  refused: 0.05, hung: 0.02, lost: 0.15,
  /** Of frames in both directions. What is delayed is overtaken by what follows. */
  dropped: 0.12, delayed: 0.12, repeated: 0.1,
  /** Of frames: the connection ends after it, or in the middle of it. */
  cut: 0.04,
  /** Of runs: the connection stays, so that no other one brings what was lost. */
  steady: 0.5,
}
const longestDelay = 300 // ms

/** A WebSocket proxy whose network is bad. */
export interface ChaosProxy {
  /** Returns the URL for a run, whose faults follow from its seed. */
  url(seed: number): string
  /** From now on everything of the run passes, or not. */
  calm(seed: number): void
  /** What was done to frames, by kind, in all runs together. */
  readonly done: Record<string, number>
  close(): Promise<void>
}

export async function startChaos(target: string): Promise<ChaosProxy> {
  const { hostname, port, pathname } = new URL(target)
  const sockets = new Set<Socket>()
  const connections = new Map<number, number>()
  const calmed = new Set<number>()
  const done: Record<string, number> = {}
  const count = (kind: string) => void (done[kind] = (done[kind] ?? 0) + 1)

  // A plain request only shows that the server can be reached.
  const server = createServer((_, response) => response.end())
  server.on('upgrade', (request: IncomingMessage, client: Socket, head: Buffer) => {
    const seed = Number(request.url!.split('/')[1])
    const number = (connections.get(seed) ?? 0) + 1
    connections.set(seed, number)
    add(client)
    count('handshakes')
    const random = randomFrom(seed, number, 0)
    const isSteady = randomFrom(seed, 0, 2)() < faults.steady
    const fate = calmed.has(seed) || isSteady ? 1 : random()
    if (fate < faults.refused) {
      count('refused')
      return client.destroy()
    }
    if (fate < faults.refused + faults.hung) return count('hung')
    const isLost = fate < faults.refused + faults.hung + faults.lost
    const ahead = connect(Number(port), hostname)
    add(ahead)
    const end = () => {
      client.destroy()
      ahead.destroy()
    }
    client.on('close', end)
    ahead.on('close', end)
    const headers = []
    for (let i = 0; i < request.rawHeaders.length; i += 2) headers.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}\r\n`)
    ahead.write(`GET ${pathname} HTTP/1.1\r\n${headers.join('')}\r\n`)
    ahead.write(head)
    client.on('data', frames(false, (frame) => pass(frame, ahead, random)))
    ahead.on('data', frames(true, (frame, isHandshake) => {
      if (!isHandshake) return pass(frame, client, random)
      if (!isLost) return void client.write(frame)
      count('lost')
      client.end(frame, end)
    }))

    function pass(frame: Buffer, to: Socket, next: () => number): void {
      const [kind, size] = [next(), next()]
      const isControl = (frame[0]! & 8) !== 0
      if (calmed.has(seed) || isControl) return send(to, frame)
      let bound = 0
      const is = (share: number) => kind < (bound += share)
      if (is(faults.dropped)) return count('dropped')
      if (is(faults.delayed)) {
        count('delayed')
        setTimeout(send, size * longestDelay, to, frame)
      } else if (is(faults.repeated)) {
        count('repeated')
        send(to, frame)
        setTimeout(send, size * longestDelay, to, frame)
      } else if (is(faults.cut) && !isSteady) {
        count('cut')
        to.end(frame.subarray(0, size < 0.5 ? Math.ceil(frame.length / 2) : frame.length), end)
      } else send(to, frame)
    }
  })

  const send = (to: Socket, frame: Buffer) => void (to.writable && to.write(frame))

  function add(socket: Socket): void {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: (seed) => `ws://127.0.0.1:${(server.address() as AddressInfo).port}/${seed}`,
    calm: (seed) => void calmed.add(seed),
    done,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

// Returns a listener for the data of a socket that calls back with each whole frame, and with the handshake before them.
function frames(hasHandshake: boolean, found: (frame: Buffer, isHandshake: boolean) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  let inHandshake = hasHandshake
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      const length = inHandshake ? rest.indexOf('\r\n\r\n') + 4 : frameLength(rest)
      if (length > rest.length || length < 2 || inHandshake && length < 4) return
      found(rest.subarray(0, length), inHandshake)
      inHandshake = false
      rest = rest.subarray(length)
    }
  }
}

// Returns the length of the frame at the beginning of the bytes, or Infinity where they do not say it yet (RFC 6455, 5.2).
function frameLength(bytes: Buffer): number {
  if (bytes.length < 2) return Infinity
  const short = bytes[1]! & 127
  const mask = bytes[1]! & 128 ? 4 : 0
  if (short < 126) return 2 + mask + short
  if (short === 126) return bytes.length < 4 ? Infinity : 4 + mask + bytes.readUInt16BE(2)
  return bytes.length < 10 ? Infinity : 10 + mask + Number(bytes.readBigUInt64BE(2))
}
