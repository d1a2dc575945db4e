import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { build } from 'esbuild'

/** What the application is asked for when its token source runs. */
export interface TokenAsk {
  user: string
  refused: boolean
}

/** A web server with an application of the tests, on a free port. */
export interface Site {
  readonly origin: string
  /** All questions for a token, the oldest first. */
  readonly asks: TokenAsk[]
  /** Answers the application's questions for a token. */
  token: (ask: TokenAsk) => string | Promise<string>
  close(): Promise<void>
}

/** Builds a fixture as an application does that uses the package, and serves it at the site's root. */
export async function serveFixture(file: string): Promise<Site> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'fixtures', file)], bundle: true, format: 'esm', write: false, jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"development"' },
  })
  const script = outputFiles[0]!.text
  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://127.0.0.1')
    if (url.pathname === '/token') {
      const ask = { user: url.searchParams.get('user')!, refused: url.searchParams.get('refused') === 'true' }
      site.asks.push(ask)
      void Promise.resolve(site.token(ask)).then((token) => response.end(token))
      return
    }
    const files: Record<string, [type: string, text: string]> = {
      '/': ['text/html', '<!doctype html><html lang="en"><title>Test</title><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="app.js"></script>'],
      '/empty': ['text/html', '<!doctype html><html lang="en"><title>Empty</title><link rel="icon" href="data:,"><body></body>'],
      '/app.js': ['text/javascript', script],
    }
    const found = files[url.pathname]
    response.writeHead(found ? 200 : 404, { 'Content-Type': found?.[0] ?? 'text/plain', 'Cache-Control': 'no-store' })
    response.end(found?.[1])
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const site: Site = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asks: [],
    token: () => '',
    close: () => new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  }
  return site
}
