import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { inject } from 'vitest'

/** What the feed has for a user: the newest state of each job, and the ids of the notes, oldest first. */
export interface Feed {
  jobs: Record<string, { epoch: string; seq: number; status: string; progress: number; message: string }>
  notes: string[]
}

/** A twin that runs for the tests. */
export interface Twin {
  readonly pageUrl: string
  readonly webSocketUrl: string
  readonly endpoint: string
  /** Returns a token, valid for a time such as 30s. */
  token(user: string, life?: string): Promise<string>
  feed(user: string): Promise<Feed>
  /** Sends a message to a user as a workflow does, by the notifier. Returns its id. */
  notify(user: string, type: string, data: object, more?: { epoch?: string; key?: string }): Promise<string>
  /** Stores a file as an upload of a user, which starts its import. */
  store(user: string, job: string, fileName: string, content: string | Uint8Array): Promise<void>
  stop(): Promise<void>
}

export async function startTwin(args: readonly string[] = []): Promise<Twin> {
  const { child, line } = await start('browsertwin', args)
  const { pageUrl, webSocketUrl, endpoint, controlUrl } = JSON.parse(line) as Record<string, string>
  const ask = async (path: string) => (await checked(await fetch(`${controlUrl}${path}`))).json()
  return {
    pageUrl: pageUrl!, webSocketUrl: webSocketUrl!, endpoint: endpoint!,
    token: (user, life = '1h') => ask(`/token?user=${encodeURIComponent(user)}&life=${life}`) as Promise<string>,
    feed: (user) => ask(`/feed?user=${encodeURIComponent(user)}`) as Promise<Feed>,
    async notify(user, type, data, more) {
      const response = await checked(await fetch(`${endpoint}/2015-03-31/functions/herald-notifier/invocations`, {
        method: 'POST', body: JSON.stringify({ userId: user, message: { type, data }, ...more }),
      }))
      const answer = await response.json() as { messageId?: string; errorMessage?: string }
      if (!answer.messageId) throw new Error(`notify: ${JSON.stringify(answer)}`)
      return answer.messageId
    },
    async store(user, job, fileName, content) {
      const owner = Buffer.from(user).toString('base64url')
      await checked(await fetch(`${endpoint}/herald-uploads/uploads/${owner}/${job}/${fileName}`, { method: 'PUT', body: content as BodyInit }))
    },
    stop: () => ended(child, () => child.stdin!.end()), // a signal would leave the twin's files behind
  }
}

/** Starts the command that a newcomer runs, on a free port, and returns the page's URL that it prints. */
export async function startCommand(): Promise<{ pageUrl: string; stop(): Promise<void> }> {
  const { child, line } = await start('local', ['-json', '-port', String(await freePort())])
  return { pageUrl: (JSON.parse(line) as { pageUrl: string }).pageUrl, stop: () => ended(child, () => child.kill()) }
}

async function start(program: string, args: readonly string[]): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(join(inject('programs'), program), args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const line = await new Promise<string>((resolve, reject) => {
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text.includes('\n')) resolve(text.split('\n')[0]!)
    })
    child.on('error', reject)
    child.on('exit', (code) => reject(new Error(`${program} ended with ${code}`)))
  })
  return { child, line }
}

/** Ends a process, and waits until it has ended. */
async function ended(child: ChildProcess, end: () => void): Promise<void> {
  if (child.exitCode !== null) return
  const exit = new Promise((resolve) => child.on('exit', resolve))
  end()
  await exit
}

async function checked(response: Response): Promise<Response> {
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  return response
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
